/* SPDX-License-Identifier: MIT */
/*
 * The reader of recorded images. A file is as untrusted as a process: all of it is checked before
 * any of it is used.
 */
#include "target/mem_image.h"

#include "base/cleanup.h"
#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define MAGIC	   "PMTIMAGE"
#define VERSION	   1u
#define RANGES_MAX (1u << 20)
#define FILE_MAX   ((size_t)1 << 30)

struct header {
	char magic[8];
	uint32_t version, nr_ranges;
};

struct range {
	uint64_t addr, len;
};

struct image_range {
	uint64_t addr, len;
	const char *bytes;
};

struct mem_image {
	struct mem base;
	char *data;
	struct image_range *ranges;
	size_t nr;
};

static struct mem_image *image(struct mem *m)
{
	return (struct mem_image *)m;
}

static const struct image_range *find(const struct mem_image *im, uint64_t addr)
{
	size_t lo = 0, hi = im->nr;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (addr < im->ranges[mid].addr)
			hi = mid;
		else if (addr - im->ranges[mid].addr >= im->ranges[mid].len)
			lo = mid + 1;
		else
			return &im->ranges[mid];
	}
	return NULL;
}

static int image_read(struct mem *m, uint64_t addr, void *buf, size_t len)
{
	char *out = buf;

	m->reads++;
	if (len > UINT64_MAX - addr)
		return -EFAULT;
	while (len) {
		const struct image_range *r = find(image(m), addr);
		size_t n;

		if (!r)
			return -ENODATA;
		n = (size_t)min((uint64_t)len, r->len - (addr - r->addr));
		memcpy(out, r->bytes + (addr - r->addr), n);
		addr += n;
		out += n;
		len -= n;
	}
	return 0;
}

static int image_presence(struct mem *m, uint64_t addr, size_t nr_pages, uint64_t *present)
{
	m->reads++;
	if (addr % MEM_PAGE)
		return -EINVAL;
	memset(present, 0, (nr_pages + 63) / 64 * 8);
	for (size_t i = 0; i < nr_pages && i <= (UINT64_MAX - addr) / MEM_PAGE; i++)
		if (find(image(m), addr + i * MEM_PAGE))
			present[i / 64] |= 1ull << i % 64;
	return 0;
}

static void image_close(struct mem *m)
{
	free(image(m)->ranges);
	free(image(m)->data);
	free(m);
}

static const struct mem_ops image_ops = {
	.read = image_read,
	.presence = image_presence,
	.read_present = image_read,
	.close = image_close,
};

static void cleanup_image(struct mem_image **im)
{
	if (*im)
		image_close(&(*im)->base);
}

static int parse(struct mem_image *im, size_t len)
{
	uint64_t last = 0;
	struct header h;
	size_t at;

	if (len < sizeof(h))
		return -EINVAL;
	memcpy(&h, im->data, sizeof(h));
	if (memcmp(h.magic, MAGIC, sizeof(h.magic)) || h.version != VERSION ||
	    h.nr_ranges > RANGES_MAX || h.nr_ranges > (len - sizeof(h)) / sizeof(struct range))
		return -EINVAL;
	im->ranges = calloc(h.nr_ranges + 1u, sizeof(*im->ranges));
	if (!im->ranges)
		return -ENOMEM;
	at = sizeof(h) + h.nr_ranges * sizeof(struct range);
	for (uint32_t i = 0; i < h.nr_ranges; i++) {
		struct range r;

		memcpy(&r, im->data + sizeof(h) + i * sizeof(r), sizeof(r));
		if ((r.addr | r.len) % MEM_PAGE || !r.len || r.addr < last ||
		    r.len > UINT64_MAX - r.addr || r.len > len - at)
			return -EINVAL;
		im->ranges[i] = (struct image_range){r.addr, r.len, im->data + at};
		last = r.addr + r.len;
		at += r.len;
	}
	if (at != len)
		return -EINVAL;
	im->nr = h.nr_ranges;
	return 0;
}

/* Takes data, whatever comes of it. */
static int parse_owned(struct mem **ret, char *data, size_t len, const char *name, struct fault *f)
{
	_cleanup_(cleanup_image) struct mem_image *im = calloc(1, sizeof(*im));
	int err;

	if (!im) {
		free(data);
		return fault_errno(f, ENOMEM, "%s", name);
	}
	im->base.ops = &image_ops;
	im->data = data;
	err = parse(im, len);
	if (err == -EINVAL)
		return fault_set(f, EINVAL, "%s is not a memory image of this version", name);
	if (err)
		return fault_errno(f, -err, "%s", name);
	*ret = &im->base;
	im = NULL;
	return 0;
}

int mem_image_parse(struct mem **ret, const void *data, size_t len, struct fault *f)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return fault_errno(f, ENOMEM, "memory image");
	if (len)
		memcpy(copy, data, len);
	return parse_owned(ret, copy, len, "this", f);
}

int mem_image_open(struct mem **ret, const char *path, struct fault *f)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *data = NULL;
	size_t size, done = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return fault_errno(f, errno, "%s", path);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > FILE_MAX)
		return fault_set(f, EINVAL, "%s is no memory image, or too large", path);
	size = (size_t)st.st_size;
	data = malloc(size + 1);
	if (!data)
		return fault_errno(f, ENOMEM, "%s", path);
	while (done < size) {
		ssize_t n = pread(fd, data + done, size - done, (off_t)done);

		if (n < 0)
			return fault_errno(f, errno, "%s", path);
		if (!n)
			break;
		done += (size_t)n;
	}
	return parse_owned(ret, steal_ptr(data), done, path, f);
}
