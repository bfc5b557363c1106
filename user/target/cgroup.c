/* SPDX-License-Identifier: MIT */
/*
 * The memory cgroup of a process: its path by /proc/PID/cgroup, below the mount of our own
 * /proc/self/mountinfo that shows most of the hierarchy. In a container there may be several: a part
 * at /sys/fs/cgroup, and the host's whole one wherever somebody has put it.
 */
#include "target/cgroup.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "model/cgroup.h"
#include "target/cgroup_internal.h"
#include "target/proc.h"
#include "target/target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define PLACE_LIMIT  (256u << 10) /* a line of 4 KiB for each of some ten hierarchies */
#define MOUNTS_LIMIT (16u << 20)
#define MOUNTS_MAX   256 /* of cgroups */

static void cleanup_place(struct cgroup_place *p)
{
	free(p->path);
}

/* Its folder, unless something else was mounted over it: another part of the hierarchy perhaps. */
static int open_mount(const struct cgroup_mount *m, int version)
{
	long magic = version == 1 ? CGROUP_SUPER_MAGIC : CGROUP2_SUPER_MAGIC;
	_cleanup_fd_ int fd = open(m->point, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;
	struct statx st;

	if (fd < 0 || fstatfs(fd, &fs) || (long)fs.f_type != magic)
		return -1;
	/* since 5.8 */
	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) || !(st.stx_mask & STATX_MNT_ID) ||
	    st.stx_mnt_id != m->id)
		return -1;
	return steal_fd(&fd);
}

/* The mount with the most of what is above the place. *below: the part of the place that is in it. */
static int find_mount(const char *mounts, const struct cgroup_place *place, const char **below,
		      int *ret)
{
	int found = 0;

	*ret = -1;
	for (int i = 0; i < MOUNTS_MAX; i++) {
		_cleanup_(cgroup_mount_done) struct cgroup_mount m = {0};
		const char *rest;
		int fd;

		found = cgroup_next_mount(&mounts, place->version, &m);
		if (found <= 0)
			break;
		rest = cgroup_below(place->path, m.root);
		if (!rest || (*ret >= 0 && rest >= *below))
			continue;
		fd = open_mount(&m, place->version);
		if (fd < 0)
			continue;
		cleanup_fd_(ret);
		*ret = fd;
		*below = rest;
	}
	return min(found, 0);
}

int target_memory_cgroup(const struct target *t, bool count, struct memory_cgroup *ret,
			 struct fault *f)
{
	_cleanup_(cleanup_place) struct cgroup_place place = {0};
	_cleanup_free_ char *text = NULL, *mounts = NULL;
	_cleanup_fd_ int folder = -1;
	const char *below = NULL;
	ssize_t n;
	int err = 0;

	*ret = (struct memory_cgroup){0};
	n = proc_read(t->proc_fd, "cgroup", PLACE_LIMIT, &text);
	if (n == -ESRCH)
		return fault_set(f, ESRCH, "process %d has ended", (int)t->pid);
	/* a kernel without cgroups */
	if (n < 0)
		return n == -ENOMEM ? fault_errno(f, ENOMEM, "cgroup of process %d", (int)t->pid)
				    : 0;
	err = cgroup_parse_place(text, &place);
	if (!err && place.version &&
	    proc_read_head(AT_FDCWD, "/proc/self/mountinfo", MOUNTS_LIMIT, &mounts) >= 0)
		err = find_mount(mounts, &place, &below, &folder);
	if (!err && folder >= 0)
		err = cgroup_read(folder, place.path, below, place.version, count, ret);
	if (err)
		return fault_errno(f, -err, "cgroup of process %d", (int)t->pid);
	return 0;
}
