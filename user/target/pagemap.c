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
#include <unistd.h>

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

static int scan(struct pagemap *p, uint64_t addr, uint64_t end, uint64_t *present,
		uint64_t *swapped)
{
	struct page_run runs[128];
	uint64_t at = addr;

	while (at < end) {
		struct pagemap_scan arg = {
			.size = sizeof(arg),
			.start = at,
			.end = end,
			.vec = (uint64_t)(uintptr_t)runs,
			.vec_len = ARRAY_SIZE(runs),
			.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
			.return_mask = SCAN_PRESENT | SCAN_SWAPPED | (p->guard ? SCAN_GUARD : 0),
		};
		int n = ioctl(p->fd, PAGEMAP_SCAN_IOCTL, &arg);

		p->calls++;
		if (n < 0)
			return -errno;
		if ((size_t)n > ARRAY_SIZE(runs) || arg.walk_end <= at)
			return -EIO;
		for (int i = 0; i < n; i++) {
			uint64_t a = max(runs[i].start, addr), b = min(runs[i].end, end);

			if (a >= b)
				continue;
			if (runs[i].categories & SCAN_PRESENT)
				set_bits(present, (a - addr) / MEM_PAGE, (b - addr) / MEM_PAGE);
			else if (swapped && !(runs[i].categories & SCAN_GUARD))
				set_bits(swapped, (a - addr) / MEM_PAGE, (b - addr) / MEM_PAGE);
		}
		at = arg.walk_end;
	}
	return 0;
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
	uint64_t end;
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
	end = addr + (uint64_t)nr_pages * MEM_PAGE;
	if (!p->scan)
		return read_entries(p, addr, nr_pages, present, swapped);

	err = scan(p, addr, end, present, swapped);
	if (err == -EINVAL && p->guard) {
		p->guard = false;
		err = scan(p, addr, end, present, swapped);
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
