/* SPDX-License-Identifier: MIT */
/*
 * From the top of a mounted hierarchy down to the cgroup of a process: each level on the way may limit
 * it. Components are opened one by one, and none is a link or leads upwards.
 */
#include "target/cgroup_internal.h"

#include "base/cleanup.h"
#include "model/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define MAX_LEVELS 256

/* Files of a level; high: what it is slowed down at. */
static const struct level_files {
	const char *usage, *limit, *high, *swap_limit;
} files[] = {
	[1] = {"memory.usage_in_bytes", "memory.limit_in_bytes", NULL,
	       "memory.memsw.limit_in_bytes"},
	[2] = {"memory.current", "memory.max", "memory.high", "memory.swap.max"},
};

/* The smallest so far, and of which level: the length of its path. */
struct lowest {
	uint64_t bytes;
	size_t path_len;
	bool high;
};

struct walk {
	const struct level_files *files;
	const char *path;
	struct lowest limit, high, swap_limit, room;
	int found; /* the folder of the lowest level that accounts memory; -1 */
	size_t found_len;
};

/* Of those that are alike, the one that is nearer to the process. */
static void lower(struct lowest *l, uint64_t bytes, size_t path_len, bool high)
{
	if (bytes <= l->bytes)
		*l = (struct lowest){bytes, path_len, high};
}

static uint64_t room_below(uint64_t limit, uint64_t usage)
{
	if (limit >= CGROUP_NO_LIMIT)
		return CGROUP_NO_LIMIT;
	return limit > usage ? limit - usage : 0;
}

/* Keeps fd if the level accounts memory, else closes it. */
static void take_level(struct walk *w, int fd, size_t path_len)
{
	uint64_t usage = cgroup_file_number(fd, w->files->usage);
	uint64_t limit = cgroup_file_number(fd, w->files->limit), high = CGROUP_UNKNOWN;

	if (usage == CGROUP_UNKNOWN) {
		close(fd);
		return;
	}
	if (w->files->high)
		high = cgroup_file_number(fd, w->files->high);
	lower(&w->limit, limit, path_len, false);
	lower(&w->high, high, path_len, true);
	lower(&w->swap_limit, cgroup_file_number(fd, w->files->swap_limit), path_len, false);
	lower(&w->room, room_below(high, usage), path_len, true);
	lower(&w->room, room_below(limit, usage), path_len, false);
	cleanup_fd_(&w->found);
	w->found = fd;
	w->found_len = path_len;
}

/* The folder below fd that path begins with. *path goes on behind it; -ENOENT at its end. */
static int open_next(int fd, const char **path)
{
	char name[NAME_MAX + 1];
	size_t n;
	int child;

	*path += strspn(*path, "/");
	n = strcspn(*path, "/");
	if (!n || n > NAME_MAX)
		return -ENOENT;
	memcpy(name, *path, n);
	name[n] = 0;
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	child = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (child < 0)
		return -errno;
	*path += n;
	return child;
}

static int walk_down(struct walk *w, int folder, const char *below)
{
	_cleanup_fd_ int at = fcntl(folder, F_DUPFD_CLOEXEC, 0);
	const char *rest = below;

	for (int level = 0; at >= 0; level++) {
		size_t path_len = (size_t)(rest - w->path);
		int next = -1;

		if (level == MAX_LEVELS)
			return -ELOOP;
		if (*rest) {
			next = open_next(at, &rest);
			if (next < 0)
				return next;
		}
		take_level(w, steal_fd(&at), path_len);
		at = next;
	}
	return 0;
}

/* The path of a level; NULL if it is the cgroup's own, or nobody's. -ENOMEM */
static int whose(const struct walk *w, const struct lowest *l, char **ret)
{
	*ret = NULL;
	if (l->bytes >= CGROUP_NO_LIMIT || l->path_len == w->found_len)
		return 0;
	*ret = strndup(w->path, max(l->path_len, (size_t)1));
	return *ret ? 0 : -ENOMEM;
}

/* Version 1 tells what is above the mounted part, too. */
static int take_hierarchical(const struct walk *w, struct memory_cgroup *c)
{
	struct cgroup_hierarchical h;

	cgroup_file_hierarchical(w->found, &h);
	c->swap_limit = min(c->swap_limit, h.swap_limit);
	if (h.limit >= c->limit)
		return 0;
	c->limit = h.limit;
	free(c->limit_path);
	c->limit_path = strdup("/..");
	return c->limit_path ? 0 : -ENOMEM;
}

static int fill(const struct walk *w, int version, bool count, struct memory_cgroup *ret)
{
	_cleanup_(memory_cgroup_done) struct memory_cgroup c = {.version = version};
	int err;

	cgroup_file_figures(w->found, version, &c);
	c.limit = w->limit.bytes;
	c.swap_limit = w->swap_limit.bytes;
	c.room = w->room.bytes;
	c.room_high = w->room.bytes < CGROUP_NO_LIMIT && w->room.high;
	if (version == 2)
		c.high = w->high.bytes;
	if (count)
		c.processes = cgroup_file_processes(w->found);
	c.path = strndup(w->path, max(w->found_len, (size_t)1));
	err = c.path ? 0 : -ENOMEM;
	if (!err)
		err = whose(w, &w->limit, &c.limit_path);
	if (!err)
		err = whose(w, &w->room, &c.room_path);
	if (!err && version == 1)
		err = take_hierarchical(w, &c);
	if (err)
		return err;
	*ret = c;
	c = (struct memory_cgroup){0};
	return 0;
}

int cgroup_read(int folder, const char *path, const char *below, int version, bool count,
		struct memory_cgroup *ret)
{
	const struct lowest none = {.bytes = CGROUP_UNKNOWN};
	struct walk w = {
		.files = &files[version],
		.path = path,
		.limit = none,
		.high = none,
		.swap_limit = none,
		.room = none,
		.found = -1,
	};
	int err = walk_down(&w, folder, below);

	*ret = (struct memory_cgroup){0};
	/* it has been removed, or moved to where we do not see it */
	if (err && err != -ENOMEM)
		err = 0;
	else if (!err && w.found >= 0)
		err = fill(&w, version, count, ret);
	cleanup_fd_(&w.found);
	return err;
}
