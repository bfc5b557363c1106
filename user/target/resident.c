/* SPDX-License-Identifier: MIT */
/*
 * PAGEMAP_SCAN over the whole address space, in one call unless there are very many runs; then
 * /proc/PID/pagemap of the resident runs alone, for the one thing that the scan does not tell: whether
 * a page is mapped elsewhere too. Neither touches a page.
 */
#include "target/resident.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "target/maps.h"
#include "target/mem.h"
#include "target/pagemap.h"
#include "target/proc.h"
#include "target/resident_internal.h"
#include "target/smaps.h"
#include "target/target.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#define SCAN_RUNS 16384u	    /* per call: 384 KiB */
#define USER_END  0x7ffffffff000ull /* where addresses end, unless a process asks for more */
#define USER_MAX  (1ull << 56)
/* of /proc/kpageflags: <linux/kernel-page-flags.h> */
#define KPF_ZERO_PAGE (1ull << 24)

int resident_entries(struct resident_reader *r, uint64_t addr, uint64_t *ret, size_t nr)
{
	size_t done = 0;

	while (done < nr * 8) {
		ssize_t n = pread(r->pagemap_fd, (char *)ret + done, nr * 8 - done,
				  (off_t)(addr / MEM_PAGE * 8 + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += (size_t)n;
	}
	memset((char *)ret + done, 0, nr * 8 - done);
	return 0;
}

/* Ours: there is only one, and an untouched page that is read becomes it. */
static uint64_t find_zero_frame(void)
{
	_cleanup_fd_ int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	volatile char *page = mmap(NULL, MEM_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t entry = 0;

	if (page == MAP_FAILED)
		return 0;
	if (fd < 0 || *page ||
	    pread(fd, &entry, 8, (off_t)((uint64_t)(uintptr_t)page / MEM_PAGE * 8)) != 8)
		entry = 0;
	munmap((void *)page, MEM_PAGE);
	return entry & ENTRY_FRAME;
}

bool resident_is_zero(struct resident_reader *r, uint64_t entry, bool huge)
{
	uint64_t frame = entry & ENTRY_FRAME, flags;

	/* the huge one is shown as if it were of a file */
	if (!(entry & ENTRY_PRESENT) || entry & ENTRY_EXCLUSIVE || !frame)
		return false;
	if (!huge) {
		if (!r->zero_frame)
			r->zero_frame = find_zero_frame();
		return frame == r->zero_frame;
	}
	if (r->kpageflags_fd == -1) {
		r->kpageflags_fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
		if (r->kpageflags_fd < 0)
			r->kpageflags_fd = -2;
	}
	return r->kpageflags_fd >= 0 &&
	       pread(r->kpageflags_fd, &flags, 8, (off_t)(frame * 8)) == 8 && flags & KPF_ZERO_PAGE;
}

/* A resident run of the scan, with what pagemap says of each page. */
static int add_run(struct resident_reader *r, uint64_t start, uint64_t end, unsigned int flags)
{
	uint64_t entries[HUGE_PAGES];
	int err;

	while (start < end) {
		/* up to a multiple of huge pages: each is all in one piece */
		uint64_t stop = min((start | (HUGE_BYTES - 1)) + 1, end);
		size_t nr = (stop - start) / MEM_PAGE, from = 0;

		err = resident_entries(r, start, entries, nr);
		if (err)
			return err;
		/* until 6.15 the scan does not tell the huge page of zeros */
		if (flags & PAGE_IS_HUGE && resident_is_zero(r, entries[0], true)) {
			r->ret->zero += stop - start;
			start = stop;
			continue;
		}
		for (size_t i = 1; i <= nr; i++) {
			bool exclusive = entries[from] & ENTRY_EXCLUSIVE;

			if (i < nr && exclusive == !!(entries[i] & ENTRY_EXCLUSIVE))
				continue;
			err = runs_add(&r->ret->runs, start + from * MEM_PAGE, start + i * MEM_PAGE,
				       flags | (exclusive ? PAGE_IS_EXCLUSIVE : 0));
			if (err)
				return err;
			from = i;
		}
		start = stop;
	}
	return 0;
}

/* Mappings of hugetlbfs are scanned like others. Most processes have none: then nr is 0. */
static int find_hugetlb(const struct target *t, struct smaps *ret, struct fault *f)
{
	_cleanup_free_ char *status = NULL;
	ssize_t n = proc_read(t->proc_fd, "status", PROC_SMALL, &status);
	const char *bytes = n < 0 ? NULL : proc_status_value(status, "HugetlbPages");
	size_t kept = 0;
	int err;

	*ret = (struct smaps){0};
	if (!bytes || !strtoull(bytes, NULL, 10))
		return 0;
	err = target_smaps(t, ret, f);
	if (err)
		return err;
	for (size_t i = 0; i < ret->nr; i++)
		if (ret->v[i].hugetlb)
			ret->v[kept++] = ret->v[i];
	ret->nr = kept;
	return 0;
}

static bool is_hugetlb(const struct smaps *s, uint64_t addr)
{
	for (size_t i = 0; i < s->nr; i++)
		if (addr >= s->v[i].start && addr < s->v[i].end)
			return true;
	return false;
}

struct scanner {
	struct resident_reader *r;
	struct smaps hugetlb;
};

static int take_run(void *ctx, const struct page_run *run)
{
	const struct scanner *s = ctx;
	uint64_t bytes = run->end - run->start;
	unsigned int flags = 0;

	if (run->categories & SCAN_HUGE)
		flags |= PAGE_IS_HUGE;
	if (run->categories & SCAN_FILE)
		flags |= PAGE_IS_OF_FILE;
	if (run->categories & SCAN_HUGE && is_hugetlb(&s->hugetlb, run->start))
		return 0;
	if (run->categories & SCAN_PRESENT && !(run->categories & SCAN_ZERO))
		return add_run(s->r, run->start, run->end, flags);
	if (run->categories & SCAN_PRESENT)
		s->r->ret->zero += bytes;
	else if (run->categories & SCAN_GUARD)
		s->r->ret->guard += bytes;
	else
		s->r->ret->swapped += bytes;
	return 0;
}

/* Where addresses end; [vsyscall] is the kernel's. */
static uint64_t end_of(const struct maps *maps)
{
	for (size_t i = maps->nr; i; i--)
		if (maps->v[i - 1].end <= USER_MAX)
			return max(USER_END, maps->v[i - 1].end);
	return USER_END;
}

/* -ENOTTY, -EINVAL: this kernel cannot. */
static int resident_by_scan(struct resident_reader *r, const struct maps *maps, struct fault *f)
{
	_cleanup_free_ struct page_run *runs = reallocarray(NULL, SCAN_RUNS, sizeof(*runs));
	struct scanner scanner = {.r = r};
	struct page_scan s = {
		.fd = r->pagemap_fd,
		.end = end_of(maps),
		.categories = SCAN_PRESENT | SCAN_SWAPPED | SCAN_FILE | SCAN_ZERO | SCAN_HUGE |
			      SCAN_GUARD,
		.runs = runs,
		.nr_runs = SCAN_RUNS,
	};
	int err;

	if (!runs)
		return -ENOMEM;
	err = find_hugetlb(r->target, &scanner.hugetlb, f);
	if (err)
		return err;
	err = pagemap_scan(&s, take_run, &scanner);
	if (err == -EINVAL) {
		s.categories &= ~(uint64_t)SCAN_GUARD;
		err = pagemap_scan(&s, take_run, &scanner);
	}
	smaps_done(&scanner.hugetlb);
	r->ret->scanned = !err;
	return err;
}

int target_resident(const struct target *t, const struct maps *maps, struct resident *ret,
		    struct fault *f)
{
	_cleanup_fd_ int fd = openat(t->proc_fd, "pagemap", O_RDONLY | O_CLOEXEC);
	_cleanup_(resident_done) struct resident found = {0};
	struct resident_reader r = {
		.target = t,
		.pagemap_fd = fd,
		.kpageflags_fd = -1,
		.ret = &found,
	};
	int err = -ENOTTY;

	if (fd < 0)
		return fault_errno(f, errno, "/proc/%d/pagemap", (int)t->pid);
	if (!proc_masked("pagemap_scan"))
		err = resident_by_scan(&r, maps, f);
	if (err == -ENOTTY || err == -EINVAL)
		err = resident_by_pagemap(&r, f);
	if (r.kpageflags_fd >= 0)
		close(r.kpageflags_fd);
	if (err)
		return fault_errno(f, -err, "cannot read the page tables of process %d",
				   (int)t->pid);
	if (!found.runs.nr && target_ended(t))
		return fault_set(f, ESRCH, "process %d has ended", (int)t->pid);
	*ret = found;
	found = (struct resident){0};
	return 0;
}

void resident_done(struct resident *r)
{
	runs_done(&r->runs);
	*r = (struct resident){0};
}
