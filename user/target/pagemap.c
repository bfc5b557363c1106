/* SPDX-License-Identifier: MIT */
/*
 * Presence of pages, by PAGEMAP_SCAN where the kernel has it (runs of pages, whole gigabytes in one
 * call), else by /proc/PID/pagemap (eight bytes per page of address space). Neither touches a page.
 */
#include "target/pagemap.h"

#include "target/mem.h"
#include "target/proc.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* <linux/fs.h> of 6.7, struct pm_scan_arg */
struct scan_arg {
	uint64_t size, flags, start, end;
	uint64_t walk_end; /* out: where it stopped */
	uint64_t vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
_Static_assert(sizeof(struct scan_arg) == 96, "struct pm_scan_arg");

#define SCAN_IOCTL _IOWR('f', 16, struct scan_arg)
#define USER_LIMIT (1ull << 56) /* past every user address, five-level tables included */

void pagemap_init(struct pagemap *p, int fd)
{
	*p = (struct pagemap){.fd = fd, .scan = !proc_masked("pagemap_scan"), .guard = true};
}

static void set_bits(uint64_t *bits, size_t from, size_t to)
{
	for (; from < to && from % 64; from++)
		bits[from / 64] |= 1ull << from % 64;
	for (; from + 64 <= to; from += 64)
		bits[from / 64] = ~0ull;
	for (; from < to; from++)
		bits[from / 64] |= 1ull << from % 64;
}

int pagemap_scan(struct page_scan *s, page_run_fn *take, void *ctx)
{
	uint64_t at = s->start;

	while (at < s->end) {
		struct scan_arg arg = {
			.size = sizeof(arg),
			.start = at,
			.end = s->end,
			.vec = (uint64_t)(uintptr_t)s->runs,
			.vec_len = s->nr_runs,
			.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
			.return_mask = s->categories,
		};
		int n = ioctl(s->fd, SCAN_IOCTL, &arg);

		s->calls++;
		if (n < 0)
			return -errno;
		if ((size_t)n > s->nr_runs)
			return -EIO;
		for (int i = 0; i < n; i++) {
			int err = take(ctx, &s->runs[i]);

			if (err)
				return err;
		}
		/*
		 * Where the walk ended is only to be trusted when there was no room left: past 512 runs
		 * the kernel leaves there where it last wrote some of them out (6.18 does).
		 */
		if ((size_t)n < s->nr_runs)
			break;
		if (arg.walk_end <= at)
			return -EIO;
		at = max(arg.walk_end, s->runs[n - 1].end);
	}
	return 0;
}

/* What is asked for: bit 0 of both is the page at start. */
struct bits {
	uint64_t start, end;
	uint64_t *present, *swapped;
};

static int take_bits(void *ctx, const struct page_run *run)
{
	const struct bits *b = ctx;
	uint64_t from = max(run->start, b->start), to = min(run->end, b->end);
	uint64_t *bits = b->swapped;

	if (run->categories & SCAN_PRESENT)
		bits = b->present;
	else if (run->categories & SCAN_GUARD)
		bits = NULL;
	if (bits && from < to)
		set_bits(bits, (from - b->start) / MEM_PAGE, (to - b->start) / MEM_PAGE);
	return 0;
}

static int scan(struct pagemap *p, struct bits *b)
{
	struct page_run runs[128];
	struct page_scan s = {
		.fd = p->fd,
		.start = b->start,
		.end = b->end,
		.categories = SCAN_PRESENT | SCAN_SWAPPED | (p->guard ? SCAN_GUARD : 0),
		.runs = runs,
		.nr_runs = ARRAY_SIZE(runs),
	};
	int err = pagemap_scan(&s, take_bits, b);

	p->calls += s.calls;
	return err;
}

static int read_entries(struct pagemap *p, uint64_t addr, size_t nr, uint64_t *present,
			uint64_t *swapped)
{
	uint64_t entries[512];

	for (size_t done = 0; done < nr;) {
		size_t want = min(nr - done, ARRAY_SIZE(entries));
		ssize_t n = pread(p->fd, entries, want * 8, (off_t)((addr / MEM_PAGE + done) * 8));

		p->calls++;
		if (n < 0)
			return -errno;
		/* The end of the address space, or of the process: nothing is there. */
		if (n < 8)
			return 0;
		n /= 8;
		for (size_t i = 0; i < (size_t)n; i++) {
			if (entries[i] & ENTRY_PRESENT)
				set_bits(present, done + i, done + i + 1);
			else if (swapped && (entries[i] & ENTRY_SWAPPED) &&
				 !(entries[i] & ENTRY_GUARD))
				set_bits(swapped, done + i, done + i + 1);
		}
		done += (size_t)n;
	}
	return 0;
}

int pagemap_look(struct pagemap *p, uint64_t addr, size_t nr_pages, uint64_t *present,
		 uint64_t *swapped)
{
	size_t words = PAGEMAP_WORDS(nr_pages);
	struct bits bits = {.start = addr, .present = present, .swapped = swapped};
	int err;

	if (addr % MEM_PAGE)
		return -EINVAL;
	memset(present, 0, words * 8);
	if (swapped)
		memset(swapped, 0, words * 8);
	/* [vsyscall] and other kernel addresses: not in the page tables of the process */
	if (addr >= USER_LIMIT)
		return 0;
	nr_pages = min((uint64_t)nr_pages, (USER_LIMIT - addr) / MEM_PAGE);
	bits.end = addr + (uint64_t)nr_pages * MEM_PAGE;
	if (!p->scan)
		return read_entries(p, addr, nr_pages, present, swapped);

	err = scan(p, &bits);
	if (err == -EINVAL && p->guard) {
		p->guard = false;
		err = scan(p, &bits);
	}
	if (err == -EFAULT) /* past this machine's address space */
		return 0;
	if (err == -ENOTTY || err == -EINVAL) {
		p->scan = false;
		memset(present, 0, words * 8);
		if (swapped)
			memset(swapped, 0, words * 8);
		return read_entries(p, addr, nr_pages, present, swapped);
	}
	return err;
}
