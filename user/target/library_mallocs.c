/* SPDX-License-Identifier: MIT */
#include "target/library_mallocs.h"

#include "base/cleanup.h"
#include "target/maps.h"
#include "target/mappings_internal.h"
#include "target/target.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#define PIECE	  (256ull << 10)
#define SKIP	  (64ull << 10)	 /* where nothing is cached */
#define MAX_BYTES (512ull << 20) /* of all files: a quarter of a second */

/* What they say when something is wrong; stripping a library leaves its texts. */
static const struct {
	const char *name, *text;
} allocators[] = {
	{"jemalloc", "<jemalloc>: "},
	{"mimalloc", "mimalloc: error: "},
	{"tcmalloc", "tcmalloc: large alloc "},
};

#define MAX_TEXT 32 /* longer than any of them */

struct search {
	const struct target *t;
	uint64_t left; /* bytes that may be read yet */
	char *piece;   /* of PIECE bytes */
};

/* Of this machine, but without RWF_NOWAIT; a server that does not answer is not to be asked. */
static bool is_local(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) &&
	       (fs.f_type == OVERLAYFS_SUPER_MAGIC || fs.f_type == TMPFS_MAGIC);
}

/* What the page cache has; 0 or less: nothing there. */
static ssize_t read_cached(int fd, char *to, size_t n, uint64_t offset)
{
	struct iovec iov = {.iov_base = to, .iov_len = n};
	ssize_t got = preadv2(fd, &iov, 1, (off_t)offset, RWF_NOWAIT);

	if (got < 0 && errno == EOPNOTSUPP && is_local(fd))
		got = pread(fd, to, n, (off_t)offset);
	return got;
}

/* Which of them are in the bytes that v maps; a bit each. */
static unsigned int look_into(struct search *s, const struct vma *v)
{
	_cleanup_fd_ int fd = target_open_mapped(s->t, v, NULL);
	uint64_t at = v->offset, end = v->offset + (v->end - v->start);
	unsigned int found = 0;

	while (fd >= 0 && at < end && s->left) {
		uint64_t rest = min(end - at, s->left), want = min(rest, PIECE);
		ssize_t n = read_cached(fd, s->piece, want, at);

		if (n <= 0) /* not cached, or past the end of the file */
			n = (ssize_t)min(want, SKIP);
		else
			for (size_t i = 0; i < ARRAY_SIZE(allocators); i++)
				if (memmem(s->piece, (size_t)n, allocators[i].text,
					   strlen(allocators[i].text)))
					found |= 1u << i;
		s->left -= (uint64_t)n;
		at += (uint64_t)n;
		/* a text may lie across the border */
		if (n > MAX_TEXT && at < end)
			at -= MAX_TEXT;
	}
	return found;
}

/* Texts are in what is read only; with code where the linker had one segment for both. */
static bool may_have_texts(const struct vma *v)
{
	return v->read && !v->write && !v->shared && (!v->exec || !v->offset);
}

static const char *name_of(const struct vma *v)
{
	const char *slash = strrchr(v->path, '/');

	return slash ? slash + 1 : v->path;
}

/* "libpython3.13.so.1.0", "python3.13" */
static bool is_interpreter(const char *name)
{
	return !strncmp(name, "libpython", 9) || !strncmp(name, "python", 6);
}

static void add_text(char *ret, size_t size, const char *name, unsigned int found)
{
	char one[300];
	int n = snprintf(one, sizeof(one), "%s%.200s", *ret ? ", " : "", name);
	const char *before = " (";

	for (size_t i = 0; i < ARRAY_SIZE(allocators); i++) {
		if (!(found & 1u << i))
			continue;
		n += snprintf(one + n, sizeof(one) - (size_t)n, "%s%s", before, allocators[i].name);
		before = ", ";
	}
	/* whole ones only */
	if (strlen(ret) + (size_t)n + 2 <= size)
		sprintf(ret + strlen(ret), "%s)", one);
}

void target_library_mallocs(const struct target *t, const struct maps *maps, char *ret, size_t size)
{
	_cleanup_free_ char *piece = malloc(PIECE);
	struct search s = {.t = t, .left = MAX_BYTES, .piece = piece};
	struct file_ids libraries = {0};

	*ret = 0;
	if (!piece || find_libraries(maps, &libraries))
		return;
	for (size_t i = 0; i < maps->nr && s.left; i++) {
		const struct vma *v = &maps->v[i];
		unsigned int found = 0;
		size_t last = i;

		if (!v->inode || !v->path || !file_ids_have(&libraries, v->dev, v->inode) ||
		    is_interpreter(name_of(v)))
			continue;
		/* its mappings lie side by side */
		for (; last < maps->nr && maps->v[last].inode == v->inode &&
		       maps->v[last].dev == v->dev;
		     last++)
			if (may_have_texts(&maps->v[last]))
				found |= look_into(&s, &maps->v[last]);
		if (found)
			add_text(ret, size, name_of(v), found);
		i = last - 1;
	}
	file_ids_done(&libraries);
}
