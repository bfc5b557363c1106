/* SPDX-License-Identifier: MIT */
/* Output that appears whole or not at all; the rules are in sink.h. */
#include "output/sink.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

static const char *shown(const struct sink *s, char buf[static 256])
{
	if (!s->path)
		return "standard output";
	return text_escape(buf, 256, s->path, strlen(s->path));
}

/* stdio forgets why a write failed; this remembers. */
static ssize_t write_cookie(void *cookie, const char *data, size_t len)
{
	struct sink *s = cookie;
	size_t done = 0;

	while (!s->err && done < len) {
		ssize_t n = write(s->fd, data + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			s->err = errno;
			break;
		}
		done += (size_t)n;
	}
	return s->err ? 0 : (ssize_t)len; /* fopencookie(3): an error is 0, not -1 */
}

static int open_stream(struct sink *s, struct fault *f)
{
	cookie_io_functions_t io = {.write = write_cookie};

	s->f = fopencookie(s, "w", io);
	return s->f ? 0 : fault_errno(f, ENOMEM, "cannot write");
}

static void random_name(char name[static 32])
{
	uint64_t r = 0;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != sizeof(r))
		r = (uint64_t)getpid(); /* the name need not be secret, only free: O_EXCL */
	snprintf(name, 32, ".pymemtrace-%016llx", (unsigned long long)r);
}

static int create(struct sink *s, const char *name)
{
	s->fd = openat(s->dir_fd, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0600);
	return s->fd >= 0 ? 0 : -errno;
}

static int open_hidden(struct sink *s)
{
	char name[32];
	int err;

	random_name(name);
	err = create(s, name);
	if (err)
		return err;
	s->temp = strdup(name);
	if (!s->temp) {
		unlinkat(s->dir_fd, name, 0);
		return -ENOMEM;
	}
	return 0;
}

/* An unnamed file in the directory, or a hidden one where the file system knows none. */
static int open_temporary(struct sink *s)
{
	s->fd = openat(s->dir_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (s->fd >= 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT)
		return -errno;
	return open_hidden(s);
}

/*
 * Where the file system or a container does not let root give files away it stays root's, which is
 * better than no file.
 */
void sink_give_to_user(int fd)
{
	const char *uid = getenv("SUDO_UID"), *gid = getenv("SUDO_GID");
	uint64_t u, g;

	if (geteuid() != 0 || !uid || !gid || text_parse_u64(uid, 0, UINT32_MAX - 1, &u) ||
	    text_parse_u64(gid, 0, UINT32_MAX - 1, &g))
		return;
	if (fchown(fd, (uid_t)u, (gid_t)g))
		log_debug("cannot give the file to user %s: %s", uid, strerror(errno));
}

/* What is there already: 0 nothing or to be replaced, 1 a device to write to, -errno refused. */
static int look_at_target(const struct sink *s, struct fault *f)
{
	char buf[256];
	struct stat st, linked;

	if (fstatat(s->dir_fd, s->name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0
				       : fault_errno(f, errno, "cannot write %s", shown(s, buf));
	if (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode))
		return 1;
	if (S_ISDIR(st.st_mode))
		return fault_set(f, EISDIR, "cannot write %s: it is a directory", shown(s, buf));
	if (S_ISLNK(st.st_mode) && fstatat(s->dir_fd, s->name, &linked, 0) == 0 &&
	    !S_ISREG(linked.st_mode)) {
		fault_set(f, EINVAL, "cannot write %s: it is a link to something that is no file",
			  shown(s, buf));
		fault_hint(f, "without -o the output goes to standard output");
		return -EINVAL;
	}
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return fault_set(f, EINVAL, "cannot write %s: it is not a file", shown(s, buf));
	if (!s->force) {
		fault_set(f, EEXIST, "%s exists already", shown(s, buf));
		fault_hint(f, "-f replaces it");
		return -EEXIST;
	}
	return 0;
}

static int open_device(struct sink *s, struct fault *f)
{
	char buf[256];

	s->fd = openat(s->dir_fd, s->name, O_WRONLY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
	if (s->fd < 0)
		return fault_errno(f, errno, "cannot write %s", shown(s, buf));
	free(steal_ptr(s->name));
	return 0;
}

/* EEXIST if there is a file by now and force was not given. */
static int take_name(struct sink *s)
{
	unsigned int flags = s->force ? 0 : RENAME_NOREPLACE;

	if (renameat2(s->dir_fd, s->temp, s->dir_fd, s->name, flags) == 0) {
		free(steal_ptr(s->temp));
		return 0;
	}
	if (s->force || (errno != EINVAL && errno != ENOSYS))
		return -errno;
	/* a file system without RENAME_NOREPLACE: the second name must be new, the first goes */
	return linkat(s->dir_fd, s->temp, s->dir_fd, s->name, 0) ? -errno : 0;
}

/* There is one by that name at any time: where it is to be replaced, the old one until then. */
static int open_named(struct sink *s)
{
	int err;

	if (!s->force)
		return create(s, s->name);
	err = open_hidden(s);
	return err ? err : take_name(s);
}

static int open_file(struct sink *s, struct fault *f)
{
	const char *slash = strrchr(s->path, '/');
	_cleanup_free_ char *dir = NULL;
	char buf[256];
	int err;

	s->name = strdup(slash ? slash + 1 : s->path);
	dir = !slash		 ? strdup(".")
	      : slash == s->path ? strdup("/")
				 : strndup(s->path, slash - s->path);
	if (!s->name || !dir)
		return fault_errno(f, ENOMEM, "cannot write %s", shown(s, buf));
	if (!*s->name)
		return fault_set(f, EISDIR, "cannot write \"%s\": no name of a file",
				 shown(s, buf));
	s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0)
		return fault_errno(f, errno, "cannot write %s", shown(s, buf));
	err = look_at_target(s, f);
	if (err < 0)
		return err;
	s->owned = true;
	if (err > 0)
		return open_device(s, f);
	err = s->growing ? open_named(s) : open_temporary(s);
	if (err)
		return fault_errno(f, -err, "cannot write %s", shown(s, buf));
	sink_give_to_user(s->fd);
	return 0;
}

static int open_sink(struct sink *s, const char *path, struct fault *f)
{
	int err = 0;

	if (path) {
		s->fd = -1;
		s->path = strdup(path);
		err = s->path ? open_file(s, f) : fault_errno(f, ENOMEM, "cannot write");
	}
	if (!err)
		err = open_stream(s, f);
	if (err)
		sink_abort(s);
	return err;
}

int sink_open(struct sink *s, const char *path, bool force, struct fault *f)
{
	*s = (struct sink){.dir_fd = -1, .fd = STDOUT_FILENO, .force = force};
	return open_sink(s, path, f);
}

int sink_open_growing(struct sink *s, const char *path, bool force, struct fault *f)
{
	*s = (struct sink){.dir_fd = -1, .fd = STDOUT_FILENO, .force = force, .growing = true};
	return open_sink(s, path, f);
}

int sink_flush(struct sink *s, struct fault *f)
{
	char buf[256];

	if (fflush(s->f) == 0 && !s->err)
		return 0;
	return fault_errno(f, s->err ? s->err : EIO, "cannot write %s", shown(s, buf));
}

/* An unnamed file gets its first name. */
static int name_temporary(struct sink *s)
{
	char proc[64], name[32];

	if (s->temp)
		return 0;
	random_name(name);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", s->fd);
	if (linkat(AT_FDCWD, proc, s->dir_fd, name, AT_SYMLINK_FOLLOW))
		return -errno;
	s->temp = strdup(name);
	if (!s->temp) {
		unlinkat(s->dir_fd, name, 0);
		return -ENOMEM;
	}
	return 0;
}

int sink_commit(struct sink *s, struct fault *f)
{
	int err = sink_flush(s, f);
	char buf[256];

	if (!err && s->name) {
		if (fsync(s->fd)) /* a full disk may show only here */
			err = -errno;
		if (!err && !s->growing)
			err = name_temporary(s);
		if (!err && !s->growing)
			err = take_name(s);
		if (err)
			fault_errno(f, -err, "cannot write %s", shown(s, buf));
		if (err == -EEXIST)
			fault_hint(f, "-f replaces it");
	}
	sink_abort(s); /* a name it took is no longer its temporary one */
	return err;
}

/* Of a growing file nothing was sent: it may go, if its name is still its own. */
static void remove_empty(const struct sink *s)
{
	struct stat mine, named;

	if (fstat(s->fd, &mine) == 0 && mine.st_size == 0 &&
	    fstatat(s->dir_fd, s->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	    mine.st_dev == named.st_dev && mine.st_ino == named.st_ino)
		unlinkat(s->dir_fd, s->name, 0);
}

void sink_abort(struct sink *s)
{
	if (s->f) {
		s->err = s->err ? s->err : ECANCELED;
		fclose(s->f);
	}
	if (s->temp)
		unlinkat(s->dir_fd, s->temp, 0);
	if (s->growing && s->name && s->fd >= 0)
		remove_empty(s);
	if (s->owned && s->fd >= 0)
		close(s->fd);
	if (s->path && s->dir_fd >= 0)
		close(s->dir_fd);
	free(s->path);
	free(s->name);
	free(s->temp);
	memset(s, 0, sizeof(*s));
	s->dir_fd = s->fd = -1;
}
