/* SPDX-License-Identifier: MIT */
/*
 * Reading and parsing the small files of /proc/PID. Their text is partly the target's own choice
 * (comm, cgroup names): everything here is bounded and nothing is trusted to be well formed.
 */
#include "target/proc.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define PID_LIMIT  (1 << 22)  /* PID_MAX_LIMIT */
#define PF_KTHREAD 0x00200000 /* the kernel's sched.h; no header of user space has it */

static ssize_t read_all(int dirfd, const char *name, size_t limit, bool cut, char **ret)
{
	_cleanup_free_ char *buf = NULL;
	_cleanup_fd_ int fd = -1;
	size_t size = 0, len = 0;

	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n;

		if (len + 1 >= size) {
			char *bigger;

			size = size ? size * 2 : 4096;
			bigger = realloc(buf, size);
			if (!bigger)
				return -ENOMEM;
			buf = bigger;
		}
		n = read(fd, buf + len, size - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		len += (size_t)n;
		if (len > limit) {
			if (!cut)
				return -E2BIG;
			len = limit;
			break;
		}
		if (!n)
			break;
	}
	buf[len] = 0;
	*ret = steal_ptr(buf);
	return (ssize_t)len;
}

ssize_t proc_read(int dirfd, const char *name, size_t limit, char **ret)
{
	return read_all(dirfd, name, limit, false, ret);
}

ssize_t proc_read_head(int dirfd, const char *name, size_t limit, char **ret)
{
	return read_all(dirfd, name, limit, true, ret);
}

/*
 * 4242 (python3) S 1 4242 4242 0 -1 4194304 991 0 0 0 3 1 0 0 20 0 1 0 88123 ...
 *                3 4                9 = flags                20   22 = start time
 */
int proc_parse_stat(const char *text, struct proc_stat *ret)
{
	const char *p = strrchr(text, ')');
	struct proc_stat s = {0};

	if (!p || p[1] != ' ' || !p[2] || p[3] != ' ')
		return -EINVAL;
	s.state = p[2];
	p += 4;
	for (int field = 4; field <= 22; field++) {
		char *end;
		long long v;

		errno = 0;
		v = strtoll(p, &end, 10);
		if (end == p || errno)
			return -EINVAL;
		if (field == 4)
			s.ppid = (pid_t)v;
		else if (field == 9)
			s.kernel_thread = v & PF_KTHREAD;
		else if (field == 20)
			s.nr_threads = (unsigned int)v;
		else if (field == 22)
			s.start_ticks = (uint64_t)v;
		p = end;
	}
	*ret = s;
	return 0;
}

int proc_read_stat(int dirfd, struct proc_stat *ret)
{
	_cleanup_free_ char *text = NULL;
	ssize_t n = proc_read(dirfd, "stat", PROC_SMALL, &text);

	if (n < 0)
		return (int)n;
	return proc_parse_stat(text, ret);
}

const char *proc_status_value(const char *status, const char *key)
{
	size_t n = strlen(key);

	/* "Name:" is chosen by the target but has its newlines escaped by the kernel. */
	for (const char *line = status; line; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (!strncmp(line, key, n) && line[n] == ':')
			return line + n + 1 + strspn(line + n + 1, " \t");
	}
	return NULL;
}

unsigned int proc_status_nspid(const char *status, pid_t *ret_innermost)
{
	const char *p = proc_status_value(status, "NSpid");
	unsigned int nr = 0;

	/* At most MAX_PID_NS_LEVEL (32) + 1 numbers. */
	while (p && *p >= '0' && *p <= '9' && nr < 64) {
		char *end;

		*ret_innermost = (pid_t)strtoul(p, &end, 10);
		nr++;
		p = end + strspn(end, " \t");
	}
	return nr;
}

pid_t proc_parse_pid(const char *name)
{
	unsigned long v = 0;

	if (*name < '1' || *name > '9')
		return 0;
	for (; *name; name++) {
		if (*name < '0' || *name > '9')
			return 0;
		v = v * 10 + (unsigned long)(*name - '0');
		if (v > PID_LIMIT)
			return 0;
	}
	return (pid_t)v;
}

bool proc_masked(const char *name)
{
	const char *list = getenv("PYMEMTRACE_WITHOUT");
	size_t n = strlen(name);

	while (list && *list) {
		size_t len = strcspn(list, ",");

		if (len == n && !memcmp(list, name, n))
			return true;
		list += len + (list[len] == ',');
	}
	return false;
}
