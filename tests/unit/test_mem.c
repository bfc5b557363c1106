/* SPDX-License-Identifier: MIT */
/*
 * Reading memory. Ground truth: what the child wrote, and the kernel's own accounts of the child
 * before and after (minor faults, Pss, shared and private pages, page tables), which must not move.
 */
#include "child.h"

#include "base/fault.h"
#include "target/mem_image.h"
#include "target/pagemap.h"
#include "target/proc.h"
#include "target/target.h"

#include <sys/utsname.h>

#define PAGES	  12800ul /* 50 MiB */
#define FILE_SIZE (5 * 4096 + 100)

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

/* Mappings made before the forks, so that the test knows their addresses. */
static uint64_t *shared_heap, *untouched, *striped;
static char *of_file, *guarded;
static char file_bytes[FILE_SIZE];
static bool has_guard;

static uint64_t *map_anonymous(size_t pages)
{
	void *p = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);

	assert_true(p != MAP_FAILED);
	madvise(p, pages * 4096, MADV_NOHUGEPAGE);
	return p;
}

static char file_name[] = "/tmp/pmt-mem-XXXXXX";

static int setup(void **state)
{
	int fd = mkstemp(file_name);

	shared_heap = map_anonymous(PAGES);
	untouched = map_anonymous(PAGES);
	striped = map_anonymous(1024);
	guarded = (char *)map_anonymous(4);
	for (size_t i = 0; i < FILE_SIZE; i++)
		file_bytes[i] = (char)(i * 7 + i / 4096);
	assert_int_equal(write(fd, file_bytes, FILE_SIZE), FILE_SIZE);
	of_file = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	assert_true(of_file != MAP_FAILED);
	close(fd);
	return 0;
}

static int teardown(void **state)
{
	return unlink(file_name);
}

/* The target is forked from a process that keeps the same pages: they stay shared. */
static void run_target(struct child *c, void *arg)
{
	pid_t target;

	for (size_t i = 0; i < PAGES; i++)
		shared_heap[i * 512] = i ^ 0x5a5a;
	target = fork();
	if (target) {
		child_wait(c);
		kill(target, SIGKILL);
		waitpid(target, NULL, 0);
		child_say(c, 0);
		child_wait(c);
		_exit(0);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* not the first page, lest readahead of its own faults maps the others */
	for (size_t i = 0; i < 1024; i += 3)
		striped[i * 512] = i + 1;
	madvise(of_file, 8 * 4096, MADV_RANDOM);
	of_file[3 * 4096 + 5] = 'X';
	guarded[0] = 'g';
	has_guard = !madvise(guarded + 4096, 4096, MADV_GUARD_INSTALL);
	child_say(c, (uint64_t)getpid() | (uint64_t)has_guard << 32);
	for (;;)
		pause();
}

struct reader {
	struct child c;
	struct target *t;
	struct maps maps;
	struct mem *m;
	pid_t pid;
};

static char state_of(pid_t pid)
{
	struct proc_stat st = {0};
	char dir[32];
	int fd;

	snprintf(dir, sizeof(dir), "/proc/%d", pid);
	fd = open(dir, O_PATH | O_DIRECTORY);
	if (fd >= 0) {
		proc_read_stat(fd, &st);
		close(fd);
	}
	return st.state;
}

static void reader_open(struct reader *r, bool with_maps)
{
	struct fault f = {0};
	uint64_t word;

	*r = (struct reader){0};
	child_start(&r->c, run_target, NULL);
	word = child_hear(&r->c);
	r->pid = (pid_t)(uint32_t)word;
	has_guard = word >> 32;
	/* Between its word and its sleep the target still takes faults of its own. */
	wait_until(state_of(r->pid) == 'S');
	/* the parent in between keeps the pages; the target is its child, not ours */
	if (target_open(&r->t, r->pid, &f) || target_maps(r->t, &r->maps, &f) ||
	    target_mem_open(&r->m, r->t, with_maps ? &r->maps : NULL, &f)) {
		child_end(&r->c);
		if (f.err == EPERM)
			skip();
		fail_msg("%s", f.text);
	}
}

static void reader_close(struct reader *r)
{
	mem_close(r->m);
	maps_done(&r->maps);
	target_close(r->t);
	child_end(&r->c);
}

static uint64_t at(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

/* The part of /proc/PID/smaps about the mapping that holds addr. */
static const char *smaps_entry(const char *smaps, uint64_t addr)
{
	for (const char *line = smaps; line && *line;) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2 && addr >= start && addr < end)
			return line;
		line = strchr(line, '\n');
		line += line != NULL;
	}
	fail_msg("no mapping at %lx", (unsigned long)addr);
	return NULL;
}

/*
 * What the kernel counts for the target. Not the whole of smaps_rollup: Pss of libc's pages moves
 * when any process of the machine starts. Nor "Referenced": /proc/PID/mem marks pages as used.
 */
static char *kernel_account(pid_t pid)
{
	static const char *const of_heap[] = {"Rss",	      "Pss",	       "Shared_Clean",
					      "Shared_Dirty", "Private_Clean", "Private_Dirty",
					      "Anonymous",    "Swap"};
	static const char *const of_process[] = {"VmPTE", "RssAnon", "RssFile", "RssShmem"};
	_cleanup_free_ char *smaps = NULL, *status = NULL, *stat = NULL;
	char dir[64], *out = calloc(1, 4096);
	size_t len = 0;
	const char *p;
	int fd;

	snprintf(dir, sizeof(dir), "/proc/%d", pid);
	fd = open(dir, O_PATH | O_DIRECTORY);
	assert_true(proc_read(fd, "smaps", 1 << 20, &smaps) > 0);
	assert_true(proc_read(fd, "status", 1 << 16, &status) > 0);
	assert_true(proc_read(fd, "stat", 1 << 16, &stat) > 0);
	close(fd);
	for (int heap = 0; heap < 2; heap++) {
		const char *entry = smaps_entry(smaps, at(heap ? shared_heap : untouched));

		for (size_t i = 0; i < ARRAY_SIZE(of_heap); i++) {
			const char *v = proc_status_value(entry, of_heap[i]);

			assert_non_null(v);
			len += (size_t)snprintf(out + len, 4096 - len, "%s %.*s\n", of_heap[i],
						(int)strcspn(v, "\n"), v);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(of_process); i++) {
		const char *v = proc_status_value(status, of_process[i]);

		assert_non_null(v);
		len += (size_t)snprintf(out + len, 4096 - len, "%s %.*s\n", of_process[i],
					(int)strcspn(v, "\n"), v);
	}
	/* fields 10 to 13 of stat: minflt cminflt majflt cmajflt */
	p = strrchr(stat, ')') + 1;
	for (int field = 3; field <= 10; field++)
		p = strchr(p, ' ') + 1;
	snprintf(out + len, 4096 - len, "faults %.40s\n", p);
	return out;
}

static void reading_leaves_no_trace(void **state)
{
	uint64_t *buf = malloc(PAGES * 4096);
	char *before, *after;
	struct reader r;

	reader_open(&r, true);
	before = kernel_account(r.pid);

	assert_int_equal(mem_read(r.m, at(shared_heap), buf, PAGES * 4096), 0);
	for (size_t i = 0; i < PAGES; i++)
		if (buf[i * 512] != (i ^ 0x5a5a) || buf[i * 512 + 1])
			fail_msg("page %zu of the heap is wrong", i);
	memset(buf, 1, PAGES * 4096);
	assert_int_equal(mem_read(r.m, at(untouched), buf, PAGES * 4096), 0);
	for (size_t i = 0; i < PAGES * 512; i++)
		if (buf[i])
			fail_msg("word %zu of untouched memory is not 0", i);
	assert_int_equal(mem_read(r.m, at(of_file), buf, 5 * 4096), 0);

	after = kernel_account(r.pid);
	assert_string_equal(before, after);
	free(before);
	free(after);
	free(buf);
	reader_close(&r);
}

/* Pages with and without bytes, read across their borders at odd offsets. */
static void touched_and_untouched_pages_mix(void **state)
{
	uint64_t *buf = malloc(1024 * 4096), word;
	uint64_t present[16];
	struct reader r;

	reader_open(&r, true);
	assert_int_equal(mem_read(r.m, at(striped), buf, 1024 * 4096), 0);
	for (size_t i = 0; i < 1024; i++)
		assert_int_equal(buf[i * 512], i % 3 ? 0 : i + 1);
	memset(buf, 1, 3 * 4096);
	assert_int_equal(mem_read(r.m, at(striped) + 4096 * 3 - 5, buf, 4096 + 20), 0);
	memcpy(&word, (char *)buf + 5, sizeof(word));
	assert_int_equal(word, 4);
	assert_int_equal(mem_read(r.m, at(striped) + 6 * 4096, &word, sizeof(word)), 0);
	assert_int_equal(word, 7);
	assert_int_equal(mem_read_present(r.m, at(striped) + 6 * 4096, &word, sizeof(word)), 0);
	assert_int_equal(word, 7);

	memset(present, 0xff, sizeof(present));
	assert_int_equal(mem_presence(r.m, at(striped), 1000, present), 0);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(present[i / 64] >> i % 64 & 1, i % 3 == 0);
	assert_int_equal(present[15] >> 40, 0);
	assert_int_equal(mem_presence(r.m, at(striped) + 8, 1, present), -EINVAL);
	free(buf);
	reader_close(&r);
}

static void file_pages_read_as_the_file(void **state)
{
	char buf[8 * 4096];
	struct reader r;

	reader_open(&r, true);
	assert_int_equal(mem_read(r.m, at(of_file), buf, 5 * 4096), 0);
	assert_int_equal(buf[3 * 4096 + 5], 'X'); /* the target's own copy of that page */
	buf[3 * 4096 + 5] = file_bytes[3 * 4096 + 5];
	assert_memory_equal(buf, file_bytes, 5 * 4096);
	/* the last page of the file is zeros behind its end; the next one does not exist */
	memset(buf, 1, sizeof(buf));
	assert_int_equal(mem_read(r.m, at(of_file) + 5 * 4096, buf, 4096), 0);
	assert_memory_equal(buf, file_bytes + 5 * 4096, 100);
	for (size_t i = 100; i < 4096; i++)
		assert_int_equal(buf[i], 0);
	assert_int_equal(mem_read(r.m, at(of_file) + 6 * 4096 - 1, buf, 1), 0);
	assert_int_equal(mem_read(r.m, at(of_file) + 6 * 4096 - 1, buf, 2), -EFAULT);
	assert_int_equal(mem_read(r.m, at(of_file) + 6 * 4096, buf, 1), -EFAULT);
	reader_close(&r);
}

static void guard_pages_are_not_taken_for_swap(void **state)
{
	uint64_t present;
	struct reader r;
	char buf[2];

	reader_open(&r, true);
	if (!has_guard) {
		reader_close(&r);
		skip();
	}
	assert_int_equal(mem_presence(r.m, at(guarded), 4, &present), 0);
	assert_int_equal(present, 1);
	assert_int_equal(mem_read(r.m, at(guarded) + 4095, buf, 2), 0);
	assert_int_equal(mem_read(r.m, at(guarded), buf, 1), 0);
	assert_int_equal(buf[0], 'g');
	reader_close(&r);
}

static void check_errors(struct reader *r)
{
	uint64_t word = 1, present = 1;

	assert_int_equal(mem_read_u64(r->m, 8, &word), -EFAULT);
	assert_int_equal(mem_read_present(r->m, 8, &word, 8), -EFAULT);
	assert_int_equal(mem_read_u64(r->m, UINT64_MAX - 3, &word), -EFAULT);
	assert_int_equal(mem_read_u64(r->m, UINT64_MAX - 7, &word), -EFAULT);
	assert_int_equal(mem_read_u64(r->m, 1ull << 63, &word), -EFAULT);
	assert_int_equal(mem_read_u64(r->m, 1ull << 50, &word), -EFAULT);
	assert_int_equal(mem_read(r->m, at(untouched), &word, 0), 0);
	assert_int_equal(mem_presence(r->m, 1ull << 50, 1, &present), 0);
	assert_int_equal(present, 0);
	assert_int_equal(mem_presence(r->m, ~4095ull, 1, &present), 0);
	assert_int_equal(present, 0);
	assert_int_equal(word, 1);

	child_go_on(&r->c);
	child_hear(&r->c); /* the target has been killed and buried */
	assert_int_equal(mem_read_u64(r->m, at(shared_heap), &word), -ESRCH);
	assert_int_equal(mem_read_u64(r->m, at(untouched), &word), -ESRCH);
	assert_int_equal(mem_read_present(r->m, at(shared_heap), &word, 8), -ESRCH);
	assert_int_equal(mem_presence(r->m, at(shared_heap), 1, &present), -ESRCH);
}

static void errors_tell_unmapped_from_gone(void **state)
{
	struct reader r;

	reader_open(&r, true);
	check_errors(&r);
	reader_close(&r);
}

static void maps_are_read_when_not_given(void **state)
{
	uint64_t word = 1;
	struct reader r;

	reader_open(&r, false);
	assert_int_equal(mem_read_u64(r.m, at(untouched), &word), 0);
	assert_int_equal(word, 0);
	assert_int_equal(mem_read_u64(r.m, at(of_file) + 4096, &word), 0);
	assert_memory_equal(&word, file_bytes + 4096, 8);
	word = 1;
	check_errors(&r);
	reader_close(&r);
}

/* A file read through a closed target, and more files than are kept open. */
static void reader_outlives_the_target_struct(void **state)
{
	uint64_t word;
	struct reader r;

	reader_open(&r, true);
	target_close(r.t);
	r.t = NULL;
	for (size_t i = 0; i < r.maps.nr; i++)
		if (r.maps.v[i].inode)
			assert_int_equal(mem_read_u64(r.m, r.maps.v[i].start, &word), 0);
	assert_int_equal(mem_read_u64(r.m, at(of_file) + 4096, &word), 0);
	assert_memory_equal(&word, file_bytes + 4096, 8);
	reader_close(&r);
}

static void run_exec(struct child *c, void *arg)
{
	shared_heap[0] = 1;
	child_say(c, 0);
	child_wait(c);
	execl("/proc/self/exe", "test_mem", "idle", NULL);
	_exit(1);
}

/* The same process, another program: its old addresses mean nothing any more. */
static void exec_ends_the_memory(void **state)
{
	struct reader r = {0};
	uint64_t word;

	child_start(&r.c, run_exec, NULL);
	child_hear(&r.c);
	assert_int_equal(target_open(&r.t, r.c.pid, NULL), 0);
	assert_int_equal(target_maps(r.t, &r.maps, NULL), 0);
	assert_int_equal(target_mem_open(&r.m, r.t, &r.maps, NULL), 0);
	assert_int_equal(mem_read_u64(r.m, at(shared_heap), &word), 0);
	assert_int_equal(word, 1);
	child_go_on(&r.c);
	assert_int_equal(read(r.c.from, &word, 1), 0); /* closed on exec */
	wait_until(mem_read_u64(r.m, at(untouched), &word) == -ESRCH);
	assert_int_equal(mem_read_u64(r.m, at(shared_heap), &word), -ESRCH);
	assert_false(target_ended(r.t));
	reader_close(&r);
}

static int without_scan(void **state)
{
	return setenv("PYMEMTRACE_WITHOUT", "x,pagemap_scan,y", 1);
}

static int with_all(void **state)
{
	return unsetenv("PYMEMTRACE_WITHOUT");
}

/* The faster way must be the one that is used; a wrong request number would go unnoticed. */
static void scan_is_used_where_the_kernel_has_it(void **state)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	unsigned int major = 0, minor = 0;
	uint64_t present, swapped;
	struct utsname u;
	struct pagemap p;

	uname(&u);
	sscanf(u.release, "%u.%u", &major, &minor);
	pagemap_init(&p, fd);
	assert_int_equal(pagemap_look(&p, at(untouched), 1, &present, &swapped), 0);
	close(fd);
	if (major < 6 || (major == 6 && minor < 7))
		skip();
	assert_true(p.scan);
	assert_int_equal(present | swapped, 0);
}

static void image_holds_what_was_read(void **state)
{
	char path[] = "/tmp/pmt-image-XXXXXX";
	uint64_t present[2], word, *buf = malloc(3 * 4096);
	struct mem *rec, *image;
	struct fault f = {0};
	struct reader r;

	close(mkstemp(path));
	reader_open(&r, true);
	assert_int_equal(mem_record_open(&rec, r.m, 700), 0);
	assert_int_equal(mem_read_u64(rec, at(striped) + 9 * 4096, &word), 0);
	assert_int_equal(word, 10);
	assert_int_equal(mem_read(rec, at(striped) + 4096 - 2, buf, 4), 0); /* pages 0 and 1 */
	for (size_t i = 512; i < 1024; i++) /* enough to make the table grow */
		assert_int_equal(mem_read_u64(rec, at(shared_heap) + i * 2 * 4096, &word), 0);
	assert_int_equal(mem_read_u64(rec, 8, &word), -EFAULT);
	assert_int_equal(mem_presence(rec, at(striped), 4, present), 0);
	assert_int_equal(present[0], 9);
	assert_int_equal(mem_record_write(rec, path, &f), 0);
	mem_close(rec);
	reader_close(&r);

	if (mem_image_open(&image, path, &f))
		fail_msg("%s", f.text);
	assert_int_equal(mem_read_u64(image, at(striped) + 9 * 4096, &word), 0);
	assert_int_equal(word, 10);
	assert_int_equal(mem_read(image, at(striped), buf, 2 * 4096), 0);
	assert_int_equal(buf[0], 1);
	assert_int_equal(buf[512], 0);
	for (size_t i = 512; i < 1024; i++) {
		assert_int_equal(mem_read_u64(image, at(shared_heap) + i * 2 * 4096, &word), 0);
		assert_int_equal(word, (i * 2) ^ 0x5a5a);
	}
	assert_int_equal(mem_read(image, at(striped) + 4096, buf, 4097), -ENODATA);
	assert_int_equal(mem_read_u64(image, at(striped) + 10 * 4096 - 4, &word), -ENODATA);
	assert_int_equal(mem_read_u64(image, UINT64_MAX - 3, &word), -EFAULT);
	assert_int_equal(mem_presence(image, at(striped), 100, present), 0);
	assert_int_equal(present[0], 1 << 0 | 1 << 1 | 1 << 9);
	assert_int_equal(present[1], 0);
	mem_close(image);
	unlink(path);
	free(buf);
}

static void recorder_keeps_to_its_limit(void **state)
{
	static uint64_t data[(24 + 2 * 16) / 8 + 2 * 512];
	struct mem *image, *rec;
	uint64_t word;

	memcpy(data, "PMTIMAGE\1\0\0\0\1\0\0\0", 16);
	data[2] = 0x1000;
	data[3] = 0x2000;
	data[4] = 42;
	assert_int_equal(mem_image_parse(&image, data, 32 + 2 * 4096, NULL), 0);
	assert_int_equal(mem_record_open(&rec, image, 1), 0);
	data[4] = 0; /* the image is a copy */
	assert_int_equal(mem_read_u64(rec, 0x1000, &word), 0);
	assert_int_equal(word, 42);
	assert_int_equal(mem_read_u64(rec, 0x2000, &word), -ENOSPC);
	assert_int_equal(mem_read_u64(rec, 0x1008, &word), 0);
	mem_close(rec);
	mem_close(image);
}

static void broken_images_are_refused(void **state)
{
	static uint64_t data[6 + 3 * 512];
	struct fault f = {0};
	struct mem *image;
	size_t len = 48 + 3 * 4096;

	/* two ranges: one page at 0x1000, two at 0x5000 */
#define GOOD()                                                \
	do {                                                  \
		memcpy(data, "PMTIMAGE\1\0\0\0\2\0\0\0", 16); \
		data[2] = 0x1000;                             \
		data[3] = 0x1000;                             \
		data[4] = 0x5000;                             \
		data[5] = 0x2000;                             \
	} while (0)
#define REFUSED(change)                                                            \
	do {                                                                       \
		GOOD();                                                            \
		change;                                                            \
		assert_int_equal(mem_image_parse(&image, data, len, &f), -EINVAL); \
		assert_int_equal(f.err, EINVAL);                                   \
	} while (0)

	GOOD();
	assert_int_equal(mem_image_parse(&image, data, len, &f), 0);
	mem_close(image);
	for (size_t cut = 0; cut < 100; cut++)
		assert_int_equal(mem_image_parse(&image, data, cut, &f), -EINVAL);
	assert_int_equal(mem_image_parse(&image, data, len - 1, &f), -EINVAL);
	REFUSED(((char *)data)[0] = 'X');
	REFUSED(((char *)data)[8] = 2);
	REFUSED(((char *)data)[12] = 3);
	REFUSED(((char *)data)[12] = 1);
	REFUSED(((char *)data)[15] = 0x7f);
	REFUSED(data[2] = 0x1001);
	REFUSED(data[3] = 0);
	REFUSED(data[3] = 0x1001);
	REFUSED(data[3] = 0x5000); /* overlaps, and too long */
	REFUSED(data[4] = 0x1000);
	REFUSED(data[5] = 0x1000);
	REFUSED(data[4] = ~4095ull);
	REFUSED(data[5] = ~4095ull);
#undef REFUSED
#undef GOOD
	assert_int_equal(mem_image_open(&image, "/nonexistent", &f), -ENOENT);
	assert_int_equal(mem_image_open(&image, "/dev/null", &f), -EINVAL);
}

#define BOTH_WAYS(test)                                            \
	cmocka_unit_test_setup_teardown(test, with_all, with_all), \
		cmocka_unit_test_setup_teardown(test, without_scan, with_all)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		BOTH_WAYS(reading_leaves_no_trace),
		BOTH_WAYS(touched_and_untouched_pages_mix),
		BOTH_WAYS(file_pages_read_as_the_file),
		BOTH_WAYS(guard_pages_are_not_taken_for_swap),
		BOTH_WAYS(errors_tell_unmapped_from_gone),
		BOTH_WAYS(maps_are_read_when_not_given),
		BOTH_WAYS(exec_ends_the_memory),
		cmocka_unit_test(reader_outlives_the_target_struct),
		cmocka_unit_test(scan_is_used_where_the_kernel_has_it),
		cmocka_unit_test(image_holds_what_was_read),
		cmocka_unit_test(recorder_keeps_to_its_limit),
		cmocka_unit_test(broken_images_are_refused),
	};

	if (argc > 1) /* what exec_ends_the_memory runs */
		return pause();
	return cmocka_run_group_tests(tests, setup, teardown);
}
