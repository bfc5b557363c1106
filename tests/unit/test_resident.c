/* SPDX-License-Identifier: MIT */
/*
 * Resident pages. Ground truth: what the child did to its own pages, and the kernel's smaps_rollup of
 * it, to the byte. Each case in both ways: PAGEMAP_SCAN, and pagemap with smaps.
 */
#include "child.h"

#include "base/fault.h"
#include "model/account.h"
#include "target/resident.h"
#include "target/smaps.h"
#include "target/target.h"

#define PAGE 4096ul
#define HUGE (2ul << 20)

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum {
	WRITTEN,   /* pages 0, 3, 6, 9 of 10 written */
	ZEROS,	   /* 20 pages read, none written, then the last written */
	INHERITED, /* written before fork(), page 0 again afterwards */
	HIDDEN,	   /* 3 pages written, then not to be touched any more */
	THP,	   /* one byte written */
	THP_ZEROS, /* one byte read */
	SHARED,	   /* memfd, 4 of 8 pages written */
	OF_FILE,   /* 3 pages, of which the second is written to */
	GUARDED,   /* 4 pages, one written, one guarded */
	SPARSE,	   /* 64 GiB, one page written in its middle */
	STRIPED,   /* every other of 60,000 pages written: more runs than a call returns */
	MAPPINGS
};

/* Made before fork(), so that the test knows where they are. */
static struct {
	char *at;
	size_t bytes;
} mappings[MAPPINGS];

static void *map(size_t bytes, int flags, int fd)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static void map_anonymous(int which, size_t bytes, int advice)
{
	mappings[which].at = map(bytes, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	mappings[which].bytes = bytes;
	madvise(mappings[which].at, bytes, advice);
}

/* At a multiple of huge pages. */
static void map_huge(int which)
{
	map_anonymous(which, 3 * HUGE, MADV_HUGEPAGE);
	mappings[which].at = (char *)(((uintptr_t)mappings[which].at + HUGE - 1) & -HUGE);
	mappings[which].bytes = HUGE;
}

static int setup(void **state)
{
	char name[] = "/tmp/pmt-resident-XXXXXX", bytes[3 * PAGE];
	int memfd = memfd_create("resident", MFD_CLOEXEC), fd = mkstemp(name);

	map_anonymous(WRITTEN, 10 * PAGE, MADV_NOHUGEPAGE);
	map_anonymous(ZEROS, 20 * PAGE, MADV_NOHUGEPAGE);
	map_anonymous(INHERITED, 5 * PAGE, MADV_NOHUGEPAGE);
	map_anonymous(HIDDEN, 5 * PAGE, MADV_NOHUGEPAGE);
	map_anonymous(GUARDED, 4 * PAGE, MADV_NOHUGEPAGE);
	map_anonymous(SPARSE, 64ul << 30, MADV_NOHUGEPAGE);
	map_anonymous(STRIPED, 60000 * PAGE, MADV_NOHUGEPAGE);
	map_huge(THP);
	map_huge(THP_ZEROS);
	assert_int_equal(ftruncate(memfd, 8 * PAGE), 0);
	mappings[SHARED].at = map(8 * PAGE, MAP_SHARED, memfd);
	mappings[SHARED].bytes = 8 * PAGE;
	memset(bytes, 7, sizeof(bytes));
	assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	mappings[OF_FILE].at = map(3 * PAGE, MAP_PRIVATE, fd);
	mappings[OF_FILE].bytes = 3 * PAGE;
	memset(mappings[INHERITED].at, 1, 5 * PAGE);
	unlink(name);
	close(fd);
	close(memfd);
	return 0;
}

static void touch(struct child *c, void *arg)
{
	volatile char byte = 0;

	for (size_t i = 0; i < 10; i += 3)
		mappings[WRITTEN].at[i * PAGE] = 1;
	for (size_t i = 0; i < 20; i++)
		byte += mappings[ZEROS].at[i * PAGE];
	mappings[ZEROS].at[19 * PAGE] = 1;
	mappings[INHERITED].at[0] = 2;
	memset(mappings[HIDDEN].at, 1, 3 * PAGE);
	mprotect(mappings[HIDDEN].at, 5 * PAGE, PROT_NONE);
	mappings[THP].at[12345] = 1;
	byte += mappings[THP_ZEROS].at[12345];
	for (size_t i = 0; i < 4; i++)
		mappings[SHARED].at[i * PAGE] = 1;
	for (size_t i = 0; i < 3; i++)
		byte += mappings[OF_FILE].at[i * PAGE];
	mappings[OF_FILE].at[PAGE] = 1;
	mappings[GUARDED].at[0] = 1;
	mappings[SPARSE].at[32ul << 30] = 1;
	for (size_t i = 0; i < 60000; i += 2)
		mappings[STRIPED].at[i * PAGE] = 1;
	child_say(c, (uint64_t)madvise(mappings[GUARDED].at + PAGE, PAGE, MADV_GUARD_INSTALL));
	for (;;)
		pause();
}

/* In pause(2), 34 on x86-64, as the kernel tells it. */
static bool child_sleeps(pid_t pid)
{
	char path[32], line[32] = "";
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	in = fopen(path, "re");
	if (in && !fgets(line, sizeof(line), in))
		line[0] = 0;
	if (in)
		fclose(in);
	return !strncmp(line, "34 ", 3);
}

struct look {
	struct child c;
	struct target *t;
	struct maps maps;
	struct resident r;
	bool guarded;
};

static void look_at(struct look *l, pid_t pid)
{
	struct fault f = {0};

	if (target_open(&l->t, pid, &f) || target_maps(l->t, &l->maps, &f) ||
	    target_resident(l->t, &l->maps, &l->r, &f))
		fail_msg("%s", f.text);
}

static void without(const char *what)
{
	if (what)
		setenv("PYMEMTRACE_WITHOUT", what, 1);
	else
		unsetenv("PYMEMTRACE_WITHOUT");
}

static void look_start(struct look *l)
{
	*l = (struct look){0};
	child_start(&l->c, touch, NULL);
	l->guarded = !child_hear(&l->c);
	/* its last page fault may be the write of what it said */
	wait_until(child_sleeps(l->c.pid));
	look_at(l, l->c.pid);
}

static void look_end(struct look *l)
{
	resident_done(&l->r);
	maps_done(&l->maps);
	target_close(l->t);
	child_end(&l->c);
}

/* Resident pages of a mapping that have all of these flags and none of those. */
static size_t count(const struct look *l, int which, unsigned int with, unsigned int without)
{
	uint64_t start = (uint64_t)(uintptr_t)mappings[which].at;
	uint64_t end = start + mappings[which].bytes, n = 0;

	const struct runs *r = &l->r.runs;

	for (size_t i = runs_find(r, start, 0); i < r->nr && r->v[i].start < end; i++) {
		const struct run *run = &r->v[i];

		if ((run->flags & with) == with && !(run->flags & without))
			n += min(run->end, end) - max(run->start, start);
	}
	return n / PAGE;
}

static void assert_well_formed(const struct runs *r)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < r->nr; i++) {
		assert_true(r->v[i].start < r->v[i].end);
		assert_int_equal((r->v[i].start | r->v[i].end) % PAGE, 0);
		assert_true(
			!i || r->v[i].start > r->v[i - 1].end ||
			(r->v[i].start == r->v[i - 1].end && r->v[i].flags != r->v[i - 1].flags));
		assert_int_equal(runs_find(r, r->v[i].start, 0), i);
		assert_int_equal(runs_find(r, r->v[i].end - 1, 0), i);
		bytes += r->v[i].end - r->v[i].start;
	}
	assert_int_equal(bytes, runs_total(r).bytes);
}

static bool thp_works(const struct look *l)
{
	return count(l, THP, 0, 0) > 1;
}

static void check_pages(const char *masked)
{
	struct smaps_entry sum;
	struct look l;

	without(masked);
	look_start(&l);
	without(NULL);
	assert_well_formed(&l.r.runs);
	assert_int_equal(target_smaps_rollup(l.t, &sum, NULL), 0);
	assert_int_equal(runs_total(&l.r.runs).bytes, sum.rss);
	assert_int_equal(count(&l, WRITTEN, PAGE_IS_EXCLUSIVE, PAGE_IS_OF_FILE), 4);
	assert_int_equal(count(&l, WRITTEN, 0, 0), 4);
	assert_int_equal(count(&l, ZEROS, 0, 0), 1);
	assert_int_equal(count(&l, ZEROS, PAGE_IS_EXCLUSIVE, PAGE_IS_OF_FILE), 1);
	assert_int_equal(count(&l, INHERITED, PAGE_IS_EXCLUSIVE, PAGE_IS_OF_FILE), 1);
	assert_int_equal(count(&l, INHERITED, 0, PAGE_IS_EXCLUSIVE | PAGE_IS_OF_FILE), 4);
	assert_int_equal(count(&l, HIDDEN, PAGE_IS_EXCLUSIVE, 0), 3);
	assert_int_equal(count(&l, THP_ZEROS, 0, 0), 0);
	assert_int_equal(count(&l, SHARED, PAGE_IS_OF_FILE, PAGE_IS_HUGE), 4);
	assert_int_equal(count(&l, SHARED, 0, PAGE_IS_OF_FILE), 0);
	assert_int_equal(count(&l, OF_FILE, PAGE_IS_OF_FILE, 0), 2);
	assert_int_equal(count(&l, OF_FILE, PAGE_IS_EXCLUSIVE, PAGE_IS_OF_FILE), 1);
	assert_int_equal(count(&l, GUARDED, 0, 0), 1);
	assert_int_equal(count(&l, SPARSE, 0, 0), 1);
	assert_int_equal(count(&l, STRIPED, PAGE_IS_EXCLUSIVE, 0), 30000);
	if (thp_works(&l))
		assert_int_equal(count(&l, THP, PAGE_IS_HUGE | PAGE_IS_EXCLUSIVE, PAGE_IS_OF_FILE),
				 HUGE / PAGE);
	assert_int_equal(l.r.swapped, 0);
	if (l.r.scanned && l.guarded) {
		assert_true(l.r.guard >= PAGE);
	}
	/* 19 pages, perhaps a huge one, and few that the C library has only read */
	assert_true(l.r.zero >= 19 * PAGE);
#ifndef __SANITIZE_ADDRESS__
	assert_true(l.r.zero < HUGE + 27 * PAGE);
#endif
	look_end(&l);
}

static void each_page_is_what_it_is(void **state)
{
	check_pages(NULL);
}

static void without_scan(void **state)
{
	check_pages("pagemap_scan");
}

/* Of what the test maps: elsewhere the test's own writes make pages of the child exclusive. */
static void other_ways_agree(void **state)
{
	const unsigned int all = PAGE_IS_OF_FILE | PAGE_IS_HUGE | PAGE_IS_EXCLUSIVE;
	struct look l, other;

	look_start(&l);
	other = l;
	without("pagemap_scan");
	assert_int_equal(target_resident(l.t, &l.maps, &other.r, NULL), 0);
	without(NULL);
	assert_false(other.r.scanned);
	assert_int_equal(runs_total(&other.r.runs).bytes, runs_total(&l.r.runs).bytes);
#ifndef __SANITIZE_ADDRESS__ /* which has read pages of terabytes */
	assert_int_equal(other.r.zero, l.r.zero);
#endif
	for (int which = 0; which < MAPPINGS; which++)
		for (unsigned int flags = 0; flags <= all; flags++)
			assert_int_equal(count(&other, which, flags, all & ~flags),
					 count(&l, which, flags, all & ~flags));
	resident_done(&other.r);
	look_end(&l);
}

/* The account of these pages is of as many bytes. */
static void they_become_an_account(void **state)
{
	struct account *a = account_new();
	struct account_row *rows;
	uint64_t total, bytes;
	struct look l;
	size_t nr;

	look_start(&l);
	bytes = runs_total(&l.r.runs).bytes;
	assert_int_equal(account_take(a, &l.r.runs), 0);
	assert_int_equal(l.r.runs.nr, 0);
	assert_int_equal(account_close(a, &rows, &nr, &total), 0);
	assert_int_equal(nr, 1);
	assert_int_equal(total, bytes);
	assert_int_equal(rows[0].bytes, bytes);
	assert_int_equal(account_take(a, &l.r.runs), -EINVAL);
	free(rows);
	account_free(a);
	look_end(&l);
}

/* Huge pages of hugetlbfs are scanned as others are, and count nowhere. */
static void hugetlb(struct child *c, void *arg)
{
	char *p = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (p != MAP_FAILED)
		p[1] = 1;
	child_say(c, p != MAP_FAILED);
	for (;;)
		pause();
}

static void hugetlb_is_nobodys(void **state)
{
	struct smaps_entry sum;
	struct look l = {0};
	char before[32];
	FILE *pool = fopen("/proc/sys/vm/nr_hugepages", "r+e");

	if (!pool || !fgets(before, sizeof(before), pool))
		skip();
	rewind(pool);
	fprintf(pool, "%d\n", atoi(before) + 1);
	fflush(pool);
	child_start(&l.c, hugetlb, NULL);
	if (child_hear(&l.c)) {
		wait_until(child_sleeps(l.c.pid));
		look_at(&l, l.c.pid);
		assert_int_equal(target_smaps_rollup(l.t, &sum, NULL), 0);
		assert_int_equal(runs_total(&l.r.runs).bytes, sum.rss);
		look_end(&l);
	} else {
		child_end(&l.c);
	}
	rewind(pool);
	fprintf(pool, "%s", before);
	fclose(pool);
}

static void an_ended_process_is_told(void **state)
{
	struct fault f = {0};
	struct resident r;
	struct smaps_entry e;
	struct look l;

	look_start(&l);
	kill(l.c.pid, SIGKILL);
	wait_until(target_ended(l.t));
	assert_int_equal(target_resident(l.t, &l.maps, &r, &f), -ESRCH);
	assert_int_equal(target_smaps_rollup(l.t, &e, &f), -ESRCH);
	look_end(&l);
}

static int parse(struct smaps *s, const char *text)
{
	FILE *in = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	int err = smaps_parse(in, s);

	fclose(in);
	return err;
}

static void smaps_are_parsed(void **state)
{
	struct smaps s = {0};

	assert_int_equal(parse(&s, "7f0c5a600000-7f0c5a628000 r--p 00000000 fe:00 1311  /lib/a: b\n"
				   "Size:                160 kB\n"
				   "Rss:                 156 kB\n"
				   "Pss:                  12 kB\n"
				   "RssIsh:                1 kB\n"
				   "Private_Dirty:         4 kB\n"
				   "SwapPss:               3 kB\n"
				   "THPeligible:           0\n"
				   "VmFlags: rd mr mw me sd \n"
				   "7f0c5a7d0000-7f0c5a7d2000 rw-p 00000000 00:00 0 Rss: 7\n"
				   "Rss:                   8 kB\n"
				   "VmFlags: rd wr mr mw me de ht sd "),
			 0);
	assert_int_equal(s.nr, 2);
	assert_int_equal(s.v[0].start, 0x7f0c5a600000);
	assert_int_equal(s.v[0].end, 0x7f0c5a628000);
	assert_int_equal(s.v[0].rss, 156 << 10);
	assert_int_equal(s.v[0].pss, 12 << 10);
	assert_int_equal(s.v[0].private_dirty, 4 << 10);
	assert_int_equal(s.v[0].swap_pss, 3 << 10);
	assert_int_equal(s.v[0].swap, 0);
	assert_false(s.v[0].hugetlb);
	assert_int_equal(s.v[1].rss, 8 << 10);
	assert_true(s.v[1].hugetlb);
	smaps_done(&s);
	assert_int_equal(parse(&s, "Rss: 8 kB\n"), -EINVAL);
	assert_int_equal(parse(&s, "2000-1000 rw-p 0 0:0 0\n"), -EINVAL);
	assert_null(s.v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_page_is_what_it_is),
		cmocka_unit_test(without_scan),
		cmocka_unit_test(other_ways_agree),
		cmocka_unit_test(they_become_an_account),
		cmocka_unit_test(hugetlb_is_nobodys),
		cmocka_unit_test(an_ended_process_is_told),
		cmocka_unit_test(smaps_are_parsed),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
