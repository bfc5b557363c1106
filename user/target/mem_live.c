/* SPDX-License-Identifier: MIT */
/*
 * Memory of a live process, read so that the process cannot tell.
 *
 * Why pread on /proc/PID/mem: process_vm_readv pins the pages it reads, and the kernel must first
 * un-share what it pins (gup_must_unshare, since 5.19), so every page that a forked worker shares
 * with its parent gets copied: RSS does not show it, Pss and the machine's memory do.
 *
 * Why only present pages: reading an untouched page maps a zero page into the target (its page
 * tables grow), reading a swapped one swaps it in, and both may wait for a userfaultfd handler or a
 * file server. Hence each read() first looks at the page tables:
 *
 *   present            -> pread of /proc/PID/mem
 *   swapped, migrating -> -ENODATA
 *   neither, anonymous -> zeros: never touched, or given back
 *   neither, of a file -> the file's bytes
 *   neither, no vma    -> -EFAULT
 *
 * Between the look and the pread a page may be reclaimed: then this one page is faulted in after
 * all. A page that a userfaultfd handler has yet to fill reads as zeros.
 */
#include "target/target.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "target/mem.h"
#include "target/pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define WINDOW_PAGES 4096u /* looked at together: 16 MiB, 1 KiB of bits */
#define FILES	     8u
#define LOOKS	     3 /* at a page that seems swapped: it may be on the way to another frame */

/* A mapped file kept open; more than a few at a time are not read. */
struct open_file {
	uint64_t start;
	ino_t inode;
	int fd; /* or -errno: it could not be opened */
};

struct mem_live {
	struct mem base;
	struct target target; /* own copies of its fds: the target may be closed before this */
	int mem_fd;
	int pagemap_fd;
	struct pagemap pagemap;
	const struct maps *maps; /* the caller's, or &own */
	struct maps own;
	struct open_file files[FILES];
	unsigned int nr_files, next_file;
};

static struct mem_live *live(struct mem *m)
{
	return (struct mem_live *)m;
}

/* One pread; -ESRCH if the process has no memory any more, -EFAULT if not all could be read. */
static int read_mem(struct mem_live *l, uint64_t addr, void *buf, size_t len)
{
	ssize_t n;

	if (addr > INT64_MAX || len > INT64_MAX - addr)
		return -EFAULT;
	do {
		l->base.reads++;
		n = pread(l->mem_fd, buf, len, (off_t)addr);
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)len)
		return 0;
	if (n == 0 && len)
		return -ESRCH;
	/* EIO is the kernel's word for not mapped; a short count ends at such a place */
	return n > 0 || errno == EIO ? -EFAULT : -errno;
}

/* The fd is bound to the address space: after exit or exec even an impossible address reads 0. */
static bool has_memory(struct mem_live *l)
{
	char byte;

	return read_mem(l, 1ull << 62, &byte, 1) != -ESRCH;
}

static const struct maps *maps_of(struct mem_live *l)
{
	if (!l->maps && !target_maps(&l->target, &l->own, NULL))
		l->maps = &l->own;
	return l->maps;
}

static int file_of(struct mem_live *l, const struct vma *v)
{
	struct open_file *file;

	for (unsigned int i = 0; i < l->nr_files; i++)
		if (l->files[i].start == v->start && l->files[i].inode == v->inode)
			return l->files[i].fd;
	if (l->nr_files < FILES) {
		file = &l->files[l->nr_files++];
	} else {
		file = &l->files[l->next_file++ % FILES];
		cleanup_fd_(&file->fd);
	}
	*file = (struct open_file){.start = v->start, .inode = v->inode};
	file->fd = target_open_mapped(&l->target, v, NULL);
	return file->fd;
}

/* The file's bytes; past its last page the target itself would get SIGBUS. */
static int read_file(struct mem_live *l, const struct vma *v, uint64_t addr, char *buf, size_t len)
{
	uint64_t offset = addr - v->start + v->offset;
	int fd = file_of(l, v);
	size_t done = 0;

	if (fd < 0) /* a device, or not ours to open */
		return -ENODATA;
	if (offset > INT64_MAX - len)
		return -EFAULT;
	while (done < len) {
		ssize_t n = pread(fd, buf + done, len - done, (off_t)(offset + done));

		l->base.reads++;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -ENODATA;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	if (done < len) {
		off_t size = lseek(fd, 0, SEEK_END);
		uint64_t pages_end;

		/* The rest of the last page is zeros; pages past it do not exist. */
		if (size < 0 || offset + done < (uint64_t)size)
			return -EFAULT;
		pages_end = ((uint64_t)size + MEM_PAGE - 1) / MEM_PAGE * MEM_PAGE;
		if (offset + len > pages_end)
			return -EFAULT;
		memset(buf + done, 0, len - done);
	}
	return 0;
}

static bool is_anonymous(const struct vma *v)
{
	if (v->inode)
		return false;
	/* not [vdso], [vvar]: the kernel's pages, whose bytes are not zeros */
	return !v->path || !strcmp(v->path, "[heap]") || !strncmp(v->path, "[stack", 6) ||
	       !strncmp(v->path, "[anon:", 6);
}

/* Bytes of pages that are neither present nor swapped, by what is mapped there. */
static int read_untouched(struct mem_live *l, uint64_t addr, char *buf, size_t len)
{
	const struct maps *maps = maps_of(l);

	/* Or else every address of a process that has ended would read as zeros. */
	if (!has_memory(l))
		return -ESRCH;
	if (!maps)
		return -ENODATA;
	while (len) {
		const struct vma *v = maps_find(maps, addr);
		size_t n;
		int err = 0;

		if (!v)
			return -EFAULT;
		n = (size_t)min((uint64_t)len, v->end - addr);
		if (is_anonymous(v))
			memset(buf, 0, n);
		else if (v->inode)
			err = read_file(l, v, addr, buf, n);
		else
			err = -ENODATA;
		if (err)
			return err;
		addr += n;
		buf += n;
		len -= n;
	}
	return 0;
}

static bool bit(const uint64_t *bits, size_t i)
{
	return bits[i / 64] >> i % 64 & 1;
}

static int look(struct mem_live *l, uint64_t addr, size_t nr, uint64_t *present, uint64_t *swapped)
{
	uint64_t calls = l->pagemap.calls;
	int err = pagemap_look(&l->pagemap, addr, nr, present, swapped);

	l->base.reads += l->pagemap.calls - calls;
	return err;
}

/* A page that is swapped for good, or one that a migration has just moved? */
static bool comes_back(struct mem_live *l, uint64_t page)
{
	for (int i = 0; i < LOOKS; i++) {
		uint64_t present, swapped;

		if (look(l, page, 1, &present, &swapped))
			return false;
		if (!swapped)
			return present;
	}
	return false;
}

/* Bytes within one window, whose page bits are known. */
static int read_window(struct mem_live *l, uint64_t base, const uint64_t *present,
		       const uint64_t *swapped, uint64_t addr, char *buf, size_t len)
{
	while (len) {
		size_t first = (addr - base) / MEM_PAGE, i = first;
		uint64_t end = addr + len;
		bool here = bit(present, i);
		size_t n;
		int err;

		do
			i++;
		while (base + i * MEM_PAGE < end && bit(present, i) == here &&
		       bit(swapped, i) == bit(swapped, first));
		n = (size_t)(min(base + i * MEM_PAGE, end) - addr);
		if (bit(swapped, first)) {
			n = (size_t)(min(base + (first + 1) * MEM_PAGE, end) - addr);
			err = comes_back(l, base + first * MEM_PAGE) ? read_mem(l, addr, buf, n)
								     : -ENODATA;
		} else if (here) {
			err = read_mem(l, addr, buf, n);
		} else {
			err = read_untouched(l, addr, buf, n);
		}
		if (err)
			return err;
		addr += n;
		buf += n;
		len -= n;
	}
	return 0;
}

static int live_read(struct mem *m, uint64_t addr, void *buf, size_t len)
{
	uint64_t present[PAGEMAP_WORDS(WINDOW_PAGES)], swapped[PAGEMAP_WORDS(WINDOW_PAGES)];
	char *out = buf;

	if (len > UINT64_MAX - addr)
		return -EFAULT;
	while (len) {
		uint64_t base = addr & ~(uint64_t)(MEM_PAGE - 1);
		uint64_t in_window = (uint64_t)WINDOW_PAGES * MEM_PAGE - (addr - base);
		size_t n = (size_t)min((uint64_t)len, in_window);
		size_t pages = (addr - base + n + MEM_PAGE - 1) / MEM_PAGE;
		int err;

		err = look(live(m), base, pages, present, swapped);
		if (!err)
			err = read_window(live(m), base, present, swapped, addr, out, n);
		if (err)
			return err;
		addr += n;
		out += n;
		len -= n;
	}
	return 0;
}

static int live_presence(struct mem *m, uint64_t addr, size_t nr_pages, uint64_t *present)
{
	int err;

	if (!nr_pages)
		return 0;
	err = look(live(m), addr, nr_pages, present, NULL);
	if (err)
		return err;
	for (size_t i = 0; i < PAGEMAP_WORDS(nr_pages); i++)
		if (present[i])
			return 0;
	return has_memory(live(m)) ? 0 : -ESRCH;
}

static int live_read_present(struct mem *m, uint64_t addr, void *buf, size_t len)
{
	return len ? read_mem(live(m), addr, buf, len) : 0;
}

static void live_close(struct mem *m)
{
	struct mem_live *l = live(m);

	for (unsigned int i = 0; i < l->nr_files; i++)
		cleanup_fd_(&l->files[i].fd);
	cleanup_fd_(&l->mem_fd);
	cleanup_fd_(&l->pagemap_fd);
	cleanup_fd_(&l->target.proc_fd);
	maps_done(&l->own);
	free(l);
}

static const struct mem_ops live_ops = {
	.read = live_read,
	.presence = live_presence,
	.read_present = live_read_present,
	.close = live_close,
};

static void cleanup_live(struct mem_live **l)
{
	if (*l)
		live_close(&(*l)->base);
}

int target_mem_open(struct mem **ret, const struct target *t, const struct maps *maps,
		    struct fault *f)
{
	_cleanup_(cleanup_live) struct mem_live *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return fault_errno(f, ENOMEM, "memory of process %d", t->pid);
	l->base.ops = &live_ops;
	l->maps = maps;
	l->target = (struct target){.pid = t->pid, .proc_fd = -1, .pidfd = -1};
	l->pagemap_fd = -1;
	l->mem_fd = openat(t->proc_fd, "mem", O_RDONLY | O_CLOEXEC);
	if (l->mem_fd >= 0)
		l->pagemap_fd = openat(t->proc_fd, "pagemap", O_RDONLY | O_CLOEXEC);
	if (l->pagemap_fd < 0) {
		err = errno;
		if (err == ESRCH || err == ENOENT)
			return fault_set(f, ESRCH, "process %d has ended", t->pid);
		if (err != EACCES && err != EPERM)
			return fault_errno(f, err, "memory of process %d", t->pid);
		fault_set(f, EPERM, "no permission to read the memory of process %d", t->pid);
		fault_hint(f,
			   "run as root, or give the tool CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH "
			   "(in a container: --cap-add SYS_PTRACE)");
		return -EPERM;
	}
	l->target.proc_fd = fcntl(t->proc_fd, F_DUPFD_CLOEXEC, 0);
	if (l->target.proc_fd < 0)
		return fault_errno(f, errno, "memory of process %d", t->pid);
	pagemap_init(&l->pagemap, l->pagemap_fd);
	*ret = &l->base;
	l = NULL;
	return 0;
}
