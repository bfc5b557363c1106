/* SPDX-License-Identifier: MIT */
/*
 * Opening files of the target: those it maps, and paths as it sees them. The target may have
 * replaced any of them by a FIFO, a device or a link out of its root, so each is first opened as a
 * mere place (O_PATH, which opens nothing), checked, and only then opened for reading.
 */
#include "target/target.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"
#include "target/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define WALK_DEPTH 64
#define WALK_LINKS 40 /* as the kernel's own limit */
#define WALK_STEPS 4096

/* The regular file behind an O_PATH fd, opened for reading. */
static int open_for_reading(int path_fd)
{
	char self[40];
	struct stat st;
	int fd;

	if (fstat(path_fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", path_fd);
	fd = open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

struct walk {
	int fds[WALK_DEPTH]; /* directories from the root down; the last may be the file */
	unsigned int depth;  /* in use; 1: at the root */
	unsigned int links;
};

static void walk_done(struct walk *w)
{
	while (w->depth > 1)
		close(w->fds[--w->depth]);
}

/* One component: "..", a link (its text is put in front of rest), or anything else. */
static int walk_step(struct walk *w, const char *name, char *rest)
{
	char link[PATH_MAX];
	struct stat st;
	size_t n;
	ssize_t len;
	int fd;

	if (!strcmp(name, "..")) {
		if (w->depth > 1)
			close(w->fds[--w->depth]);
		return 0;
	}
	if (w->depth == WALK_DEPTH)
		return -ELOOP;
	fd = openat(w->fds[w->depth - 1], name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISLNK(st.st_mode)) {
		w->fds[w->depth++] = fd;
		return 0;
	}
	len = readlinkat(fd, "", link, sizeof(link) - 1);
	close(fd);
	if (len <= 0)
		return -ELOOP;
	if (++w->links > WALK_LINKS)
		return -ELOOP;
	link[len] = 0;
	n = strlen(rest);
	if ((size_t)len + 1 + n + 1 > PATH_MAX)
		return -ENAMETOOLONG;
	memmove(rest + len + 1, rest, n + 1);
	memcpy(rest, link, (size_t)len);
	rest[len] = '/';
	if (link[0] == '/')
		walk_done(w);
	return 0;
}

/* RESOLVE_IN_ROOT by hand, for kernels before 5.6: no component is ever followed by the kernel. */
static int walk_in_root(int root_fd, const char *path)
{
	_cleanup_(walk_done) struct walk w = {.fds = {root_fd}, .depth = 1};
	char rest[PATH_MAX], name[NAME_MAX + 1];

	if (strlen(path) >= sizeof(rest))
		return -ENAMETOOLONG;
	strcpy(rest, path);
	for (unsigned int step = 0; step < WALK_STEPS; step++) {
		size_t slashes = strspn(rest, "/"), n = strcspn(rest + slashes, "/");
		int err;

		if (!n) {
			int fd = fcntl(w.fds[w.depth - 1], F_DUPFD_CLOEXEC, 0);

			return fd < 0 ? -errno : fd;
		}
		if (n >= sizeof(name))
			return -ENAMETOOLONG;
		memcpy(name, rest + slashes, n);
		name[n] = 0;
		memmove(rest, rest + slashes + n, strlen(rest + slashes + n) + 1);
		if (!strcmp(name, "."))
			continue;
		err = walk_step(&w, name, rest);
		if (err)
			return err;
	}
	return -ELOOP;
}

/* O_PATH fd of path below the target's root. */
static int locate_in_root(const struct target *t, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	_cleanup_fd_ int root = openat(t->proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = -1;

	if (root < 0)
		return -errno;
	if (proc_masked("openat2"))
		return walk_in_root(root, path);
	/* EAGAIN: something was renamed while ".." was resolved */
	for (int attempt = 0; attempt < 8; attempt++) {
		fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd >= 0)
			return fd;
		if (errno != EAGAIN)
			break;
	}
	/* EPERM: container runtimes' filters answer so for calls they do not know */
	if (errno == ENOSYS || errno == EPERM || errno == EAGAIN)
		return walk_in_root(root, path);
	return -errno;
}

int target_open_path(const struct target *t, const char *path)
{
	_cleanup_fd_ int place = locate_in_root(t, path);

	return place < 0 ? place : open_for_reading(place);
}

/*
 * Is this the file that v maps? /proc/PID/maps shows the superblock's device; stat() shows an
 * anonymous one (major 0) for each subvolume or layer on btrfs, overlayfs and their like: there the
 * inode number has to do.
 */
static bool is_mapped_file(int fd, const struct vma *v)
{
	struct stat st;

	if (fstat(fd, &st) || st.st_ino != v->inode)
		return false;
	return st.st_dev == v->dev || major(st.st_dev) == 0;
}

static bool same_path(const char *link, const struct vma *v)
{
	size_t n = v->path ? strlen(v->path) : 0;

	return n && !strncmp(link, v->path, n) && !strcmp(link + n, v->deleted ? " (deleted)" : "");
}

/*
 * The link leads to the very file, deleted or not, in whatever mount namespace. Needs CAP_SYS_ADMIN
 * or CAP_CHECKPOINT_RESTORE (since 5.9). Overlayfs may number inodes otherwise than maps does
 * (xino): the link's text then has to be the path of the mapping.
 */
static int open_map_files(const struct target *t, const struct vma *v)
{
	char name[64], link[PATH_MAX];
	_cleanup_fd_ int fd = -1;
	ssize_t n;

	if (proc_masked("map_files"))
		return -EPERM;
	snprintf(name, sizeof(name), "map_files/%llx-%llx", (unsigned long long)v->start,
		 (unsigned long long)v->end);
	fd = openat(t->proc_fd, name, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!is_mapped_file(fd, v)) {
		n = readlinkat(t->proc_fd, name, link, sizeof(link) - 1);
		if (n < 0)
			return -errno;
		link[n] = 0;
		if (!same_path(link, v))
			return -ESTALE;
	}
	return open_for_reading(fd);
}

static int open_if_mapped(int place, const struct vma *v)
{
	_cleanup_fd_ int fd = place;

	if (fd < 0)
		return fd;
	return is_mapped_file(fd, v) ? open_for_reading(fd) : -ESTALE;
}

static int open_by_path(const struct target *t, const struct vma *v, const char *path)
{
	int fd = open_if_mapped(locate_in_root(t, path), v);

	/* For a target in a chroot the kernel shows the path as this process would see it. */
	return fd >= 0 ? fd : open_if_mapped(open(path, O_PATH | O_CLOEXEC), v);
}

int target_open_mapped(const struct target *t, const struct vma *v, struct fault *f)
{
	char shown[200], path[PATH_MAX];
	int fd, err;

	if (!v->inode || !v->path)
		return fault_set(f, EINVAL, "%llx-%llx of process %d maps no file",
				 (unsigned long long)v->start, (unsigned long long)v->end, t->pid);
	fd = err = open_map_files(t, v);
	if (fd < 0 && v->path[0] == '/')
		fd = open_by_path(t, v, v->path);
	/* a file really named so, which the text of maps cannot tell from a deleted one */
	if (fd < 0 && v->path[0] == '/' && v->deleted &&
	    (size_t)snprintf(path, sizeof(path), "%s (deleted)", v->path) < sizeof(path))
		fd = open_by_path(t, v, path);
	if (fd >= 0)
		return fd;

	text_escape(shown, sizeof(shown), v->path, strlen(v->path));
	if (err == -EPERM || err == -EACCES) {
		fault_set(f, EPERM, "cannot open %s as process %d maps it", shown, t->pid);
		fault_hint(f, "run as root, or with CAP_CHECKPOINT_RESTORE%s",
			   v->deleted ? ": the file has been deleted or replaced"
				      : " and CAP_DAC_READ_SEARCH");
		return -EPERM;
	}
	return fault_errno(f, -err, "%s of process %d", shown, t->pid);
}
