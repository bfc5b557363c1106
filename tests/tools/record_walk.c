/* SPDX-License-Identifier: MIT */
/*
 * Records what the walker reads of a live process, for tests that have no process:
 *
 *	record_walk PID OUT	writes OUT.img.gz (target/mem_image.h) and OUT.state (walk_state.h)
 *
 * tests/tools/record-walks.sh does it for all interpreters, with the text that each printed itself.
 */
#include "base/fault.h"
#include "python/internal.h"
#include "target/mem_image.h"
#include "../unit/walk_state.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#define MAX_PAGES 4096
#define MAX_READS 65536

/*
 * A reader in between that notes what is read: the rest of each page is of no use, and nobody's
 * business.
 */
struct noting {
	struct mem mem;
	struct mem *inner;
	struct {
		uint64_t addr, len;
	} reads[MAX_READS];
	size_t nr;
};

static int note(struct mem *m, uint64_t addr, size_t len, int err)
{
	struct noting *n = (struct noting *)m;

	if (n->nr == MAX_READS)
		return -ENOSPC;
	n->reads[n->nr].addr = addr;
	n->reads[n->nr++].len = len;
	return err;
}

static int noting_read(struct mem *m, uint64_t addr, void *buf, size_t len)
{
	return note(m, addr, len, mem_read(((struct noting *)m)->inner, addr, buf, len));
}

static int noting_read_present(struct mem *m, uint64_t addr, void *buf, size_t len)
{
	return note(m, addr, len, mem_read_present(((struct noting *)m)->inner, addr, buf, len));
}

static int noting_presence(struct mem *m, uint64_t addr, size_t nr_pages, uint64_t *present)
{
	return mem_presence(((struct noting *)m)->inner, addr, nr_pages, present);
}

static const struct mem_ops noting_ops = {
	.read = noting_read,
	.presence = noting_presence,
	.read_present = noting_read_present,
};

static bool was_read(const struct noting *n, uint64_t addr)
{
	for (size_t i = 0; i < n->nr; i++)
		if (addr >= n->reads[i].addr && addr < n->reads[i].addr + n->reads[i].len)
			return true;
	return false;
}

/* Zeros in the image what was not read, and compresses it. */
static int trim(const char *path, const struct noting *n)
{
	FILE *f = fopen(path, "re");
	uint32_t nr_ranges;
	uint64_t ranges[MAX_PAGES][2];
	char head[12], out_path[4100], page[MEM_PAGE];
	gzFile out;

	snprintf(out_path, sizeof(out_path), "%s.gz", path);
	out = gzopen(out_path, "wb9");
	if (!f || !out || fread(head, sizeof(head), 1, f) != 1 ||
	    fread(&nr_ranges, sizeof(nr_ranges), 1, f) != 1 || nr_ranges > MAX_PAGES ||
	    fread(ranges, sizeof(ranges[0]), nr_ranges, f) != nr_ranges)
		return -1;
	gzwrite(out, head, sizeof(head));
	gzwrite(out, &nr_ranges, sizeof(nr_ranges));
	gzwrite(out, ranges, (unsigned int)(sizeof(ranges[0]) * nr_ranges));
	for (uint32_t i = 0; i < nr_ranges; i++)
		for (uint64_t at = 0; at < ranges[i][1]; at += MEM_PAGE) {
			if (fread(page, sizeof(page), 1, f) != 1)
				return -1;
			for (size_t k = 0; k < sizeof(page); k++)
				if (page[k] && !was_read(n, ranges[i][0] + at + k))
					page[k] = 0;
			gzwrite(out, page, sizeof(page));
		}
	fclose(f);
	unlink(path);
	return gzclose(out) == Z_OK ? 0 : -1;
}

static int fail(const struct fault *f)
{
	fprintf(stderr, "record_walk: %s\n", f->text);
	return 1;
}

int main(int argc, char **argv)
{
	struct malloc_stats stats;
	struct read_losses losses;
	struct fault f = {0};
	struct target *t;
	struct python *p;
	static struct noting noting = {.mem = {.ops = &noting_ops}};
	struct mem *live, *recorder;
	char path[4096];
	FILE *out;

	if (argc != 3) {
		fprintf(stderr, "usage: record_walk PID OUT\n");
		return 2;
	}
	if (target_open(&t, atoi(argv[1]), &f) || python_open(&p, t, false, &f))
		return fail(&f);
	live = p->mem;
	if (mem_record_open(&recorder, live, MAX_PAGES))
		return 1;
	snprintf(path, sizeof(path), "%s.state", argv[2]);
	out = fopen(path, "we");
	if (!out)
		return 1;
	walk_state_write(out, p);
	if (fclose(out))
		return 1;
	noting.inner = recorder;
	p->mem = &noting.mem;
	if (python_read_stats(p, &stats, &losses, &f))
		return fail(&f);
	snprintf(path, sizeof(path), "%s.img", argv[2]);
	if (mem_record_write(recorder, path, &f))
		return fail(&f);
	if (trim(path, &noting)) {
		fprintf(stderr, "record_walk: cannot trim %s\n", path);
		return 1;
	}
	p->mem = live;
	mem_close(recorder);
	python_close(p);
	target_close(t);
	return 0;
}
