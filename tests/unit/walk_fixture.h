/* SPDX-License-Identifier: MIT */
/* A recorded interpreter (tests/fixtures/walk), as the walker sees a live one. */
#ifndef TESTS_UNIT_WALK_FIXTURE_H
#define TESTS_UNIT_WALK_FIXTURE_H

#include "python/layout.h"
#include "target/mem_image.h"
#include "walk_state.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#define WALK_DIR       "tests/fixtures/walk"
#define WALK_MAX_BYTES (16u << 20)

/* The image's bytes; *ret is the caller's. */
static inline int walk_load_image(const char *name, void **ret, size_t *ret_len)
{
	char path[512];
	void *buf = malloc(WALK_MAX_BYTES);
	gzFile f;
	int n;

	snprintf(path, sizeof(path), WALK_DIR "/%s.img.gz", name);
	f = gzopen(path, "rb");
	n = f && buf ? gzread(f, buf, WALK_MAX_BYTES) : -1;
	if (f)
		gzclose(f);
	if (n < 0) {
		free(buf);
		return -ENOENT;
	}
	*ret = buf;
	*ret_len = (size_t)n;
	return 0;
}

/* Where its state is; everything but the memory. */
static inline int walk_load_state(const char *name, const struct target *t, struct python *ret)
{
	const struct py_layout_entry *e;
	char path[512];
	bool measured;
	FILE *f;
	int err;

	memset(ret, 0, sizeof(*ret));
	snprintf(path, sizeof(path), WALK_DIR "/%s.state", name);
	f = fopen(path, "re");
	if (!f)
		return -ENOENT;
	err = walk_state_read(f, ret);
	fclose(f);
	e = layout_find(ret->id.version_hex, false, false, &measured);
	if (err || !e)
		return -EINVAL;
	ret->layout = e->layout;
	ret->target = t;
	ret->has_tables = ret->has_layout = ret->has_obmalloc = true;
	return 0;
}

#endif
