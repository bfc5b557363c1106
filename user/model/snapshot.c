/* SPDX-License-Identifier: MIT */
/*
 * Names of the enumerations as outputs print them and JSON stores them, and the little arithmetic a
 * snapshot needs.
 */
#include "model/snapshot.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

struct rss rss_sub(const struct rss *a, const struct rss *b)
{
	return (struct rss){
		.anon = a->anon - b->anon,
		.file = a->file - b->file,
		.shmem = a->shmem - b->shmem,
		.swap = a->swap - b->swap,
	};
}

static const char *const allocator_names[] = {
	[ALLOCATOR_UNKNOWN] = "unknown",
	[ALLOCATOR_PYMALLOC] = "pymalloc",
	[ALLOCATOR_PYMALLOC_DEBUG] = "pymalloc_debug",
	[ALLOCATOR_MALLOC] = "malloc",
	[ALLOCATOR_MALLOC_DEBUG] = "malloc_debug",
	[ALLOCATOR_MIMALLOC] = "mimalloc",
	[ALLOCATOR_MIMALLOC_DEBUG] = "mimalloc_debug",
	[ALLOCATOR_OTHER] = "other",
};

const char *allocator_name(enum allocator a)
{
	if ((size_t)a >= ARRAY_SIZE(allocator_names))
		a = ALLOCATOR_UNKNOWN;
	return allocator_names[a];
}

int allocator_from_name(const char *name, enum allocator *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(allocator_names); i++) {
		if (strcmp(name, allocator_names[i]) == 0) {
			*ret = (enum allocator)i;
			return 0;
		}
	}
	return -EINVAL;
}

bool allocator_is_pymalloc(enum allocator a)
{
	return a == ALLOCATOR_PYMALLOC || a == ALLOCATOR_PYMALLOC_DEBUG;
}

static const char *const shape_names[] = {
	[SHAPE_UNKNOWN] = "unknown",
	[SHAPE_SYMBOLS] = "symbols",
	[SHAPE_DEBUG_FILE] = "debug file",
	[SHAPE_STRIPPED] = "stripped",
};

const char *build_shape_name(enum build_shape s)
{
	if ((size_t)s >= ARRAY_SIZE(shape_names))
		s = SHAPE_UNKNOWN;
	return shape_names[s];
}

int build_shape_from_name(const char *name, enum build_shape *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(shape_names); i++) {
		if (strcmp(name, shape_names[i]) == 0) {
			*ret = (enum build_shape)i;
			return 0;
		}
	}
	return -EINVAL;
}

bool read_losses_any(const struct read_losses *l)
{
	return l->arenas_torn || l->pools_unread || l->pools_invalid || l->freelists_unread ||
	       l->inconsistent;
}

static char *copy(const char *s)
{
	return s ? strdup(s) : NULL;
}

void process_id_copy(struct process_id *to, const struct process_id *from)
{
	*to = *from;
	to->comm = copy(from->comm);
	to->cmdline = copy(from->cmdline);
	to->exe = copy(from->exe);
	to->container = copy(from->container);
}

void process_id_done(struct process_id *p)
{
	free(p->comm);
	free(p->cmdline);
	free(p->exe);
	free(p->container);
	memset(p, 0, sizeof(*p));
}

void snapshot_done(struct snapshot *s)
{
	process_id_done(&s->process);
	memset(s, 0, sizeof(*s));
}

/* PY_VERSION_HEX: 0x030d00c2 is 3.13.0rc2, 0x030c01f0 is 3.12.1 (Include/patchlevel.h). */
char *python_version_text(char buf[static 24], uint32_t version_hex)
{
	static const char *const levels[16] = {[0xa] = "a", [0xb] = "b", [0xc] = "rc"};
	const char *level = levels[version_hex >> 4 & 0xf];
	int n = snprintf(buf, 24, "%u.%u.%u", version_hex >> 24, version_hex >> 16 & 0xff,
			 version_hex >> 8 & 0xff);

	if (level)
		snprintf(buf + n, 24 - (size_t)n, "%s%u", level, version_hex & 0xf);
	return buf;
}
