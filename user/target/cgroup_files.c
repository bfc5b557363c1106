/* SPDX-License-Identifier: MIT */
/*
 * The figures of one cgroup, of the files in its folder. Kernels differ in which there are, and a figure
 * that is not there is not known; the root of version 2 has hardly any.
 */
#include "target/cgroup_internal.h"

#include "base/cleanup.h"
#include "model/cgroup.h"
#include "target/proc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define PROCS_LIMIT (8u << 20) /* a million PIDs */
#define MAX_FOLDERS 4096
#define MAX_DEPTH   32
/* Without a limit version 1 says so many bytes, in whole pages. */
#define V1_NO_LIMIT ((uint64_t)INT64_MAX / 4096 * 4096)

#define MEMBER(name) offsetof(struct memory_cgroup, name)

/* "anon 1855488" */
static const struct figure {
	const char *file, *key;
	size_t offset;
} figures_v1[] =
	{
		/* of itself and those below it */
		{"memory.stat", "total_rss", MEMBER(anon)},
		{"memory.stat", "total_cache", MEMBER(file)},
		{"memory.stat", "total_shmem", MEMBER(shmem)},
		{"memory.stat", "total_inactive_file", MEMBER(file_inactive)},
		{"memory.stat", "total_swap", MEMBER(swap_usage)},
		{"memory.oom_control", "oom_kill", MEMBER(events_oom_kill)},
},
  figures_v2[] = {
	  {"memory.stat", "anon", MEMBER(anon)},
	  {"memory.stat", "file", MEMBER(file)},
	  {"memory.stat", "kernel", MEMBER(kernel)},
	  {"memory.stat", "shmem", MEMBER(shmem)},
	  {"memory.stat", "inactive_file", MEMBER(file_inactive)},
	  {"memory.events", "high", MEMBER(events_high)},
	  {"memory.events", "max", MEMBER(events_max)},
	  {"memory.events", "oom", MEMBER(events_oom)},
	  {"memory.events", "oom_kill", MEMBER(events_oom_kill)},
};

/* A figure of its own file. */
static const struct number {
	const char *file;
	size_t offset;
} numbers_v1[] =
	{
		{"memory.usage_in_bytes", MEMBER(usage)},
		{"memory.max_usage_in_bytes", MEMBER(peak)},
		{"memory.soft_limit_in_bytes", MEMBER(high)},
		{"memory.kmem.usage_in_bytes", MEMBER(kernel)},
		{"memory.failcnt", MEMBER(events_max)},
},
  numbers_v2[] = {
	  {"memory.current", MEMBER(usage)},
	  {"memory.peak", MEMBER(peak)}, /* since 5.19 */
	  {"memory.swap.current", MEMBER(swap_usage)},
};

/* "3579904", "max" */
static uint64_t parse_number(const char *s)
{
	uint64_t v;

	if (!strncmp(s, "max", 3))
		return CGROUP_NO_LIMIT;
	if (!isdigit((unsigned char)*s))
		return CGROUP_UNKNOWN;
	v = strtoull(s, NULL, 10);
	return v >= V1_NO_LIMIT ? CGROUP_NO_LIMIT : v;
}

uint64_t cgroup_file_number(int folder, const char *name)
{
	_cleanup_free_ char *text = NULL;

	if (proc_read_head(folder, name, PROC_SMALL, &text) < 0)
		return CGROUP_UNKNOWN;
	return parse_number(text);
}

/* The number behind "key ". */
static uint64_t find_key(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");

		if (len > n && !memcmp(line, key, n) && line[n] == ' ')
			return parse_number(line + n + 1);
		line += len + (line[len] == '\n');
	}
	return CGROUP_UNKNOWN;
}

static void set(struct memory_cgroup *c, size_t offset, uint64_t value)
{
	memcpy((char *)c + offset, &value, sizeof(value));
}

/* Each file is read once: those of a file are next to each other. */
static void read_figures(int folder, const struct figure *f, size_t nr, struct memory_cgroup *ret)
{
	_cleanup_free_ char *text = NULL;

	for (size_t i = 0; i < nr; i++) {
		if (!i || strcmp(f[i].file, f[i - 1].file)) {
			free(steal_ptr(text));
			if (proc_read_head(folder, f[i].file, PROC_SMALL, &text) < 0)
				text = NULL;
		}
		set(ret, f[i].offset, text ? find_key(text, f[i].key) : CGROUP_UNKNOWN);
	}
}

/*
 *	some avg10=0.00 avg60=0.00 avg300=0.00 total=129220768
 *	full avg10=0.00 avg60=0.00 avg300=0.00 total=107315745
 *
 * Not to be read where the kernel was told to do without.
 */
static uint64_t find_total(const char *text, const char *kind)
{
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");
		const char *total = memmem(line, len, " total=", 7);

		if (!strncmp(line, kind, 4) && total)
			return parse_number(total + 7);
		line += len + (line[len] == '\n');
	}
	return CGROUP_UNKNOWN;
}

void cgroup_file_figures(int folder, int version, struct memory_cgroup *ret)
{
	const struct number *numbers = version == 1 ? numbers_v1 : numbers_v2;
	size_t nr = version == 1 ? ARRAY_SIZE(numbers_v1) : ARRAY_SIZE(numbers_v2);
	_cleanup_free_ char *pressure = NULL;

	ret->events_high = ret->events_oom = CGROUP_UNKNOWN;
	ret->pressure_some_us = ret->pressure_full_us = CGROUP_UNKNOWN;
	for (size_t i = 0; i < nr; i++)
		set(ret, numbers[i].offset, cgroup_file_number(folder, numbers[i].file));
	if (version == 1) {
		read_figures(folder, figures_v1, ARRAY_SIZE(figures_v1), ret);
		return;
	}
	read_figures(folder, figures_v2, ARRAY_SIZE(figures_v2), ret);
	if (proc_read_head(folder, "memory.pressure", PROC_SMALL, &pressure) > 0) {
		ret->pressure_some_us = find_total(pressure, "some");
		ret->pressure_full_us = find_total(pressure, "full");
	}
}

void cgroup_file_hierarchical(int folder, struct cgroup_hierarchical *ret)
{
	_cleanup_free_ char *text = NULL;

	*ret = (struct cgroup_hierarchical){CGROUP_UNKNOWN, CGROUP_UNKNOWN};
	if (proc_read_head(folder, "memory.stat", PROC_SMALL, &text) < 0)
		return;
	ret->limit = find_key(text, "hierarchical_memory_limit");
	ret->swap_limit = find_key(text, "hierarchical_memsw_limit");
}

struct counted {
	uint32_t processes, folders;
};

static bool count_folder(int folder, unsigned int depth, struct counted *n);

static bool count_below(int folder, unsigned int depth, struct counted *n)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_dir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		cleanup_fd_(&fd);
		return errno == ENOENT; /* it went meanwhile */
	}
	while ((e = readdir(dir))) {
		_cleanup_fd_ int child = -1;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		child = openat(folder, e->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child >= 0 && !count_folder(child, depth + 1, n))
			return false;
	}
	return true;
}

static bool count_folder(int folder, unsigned int depth, struct counted *n)
{
	_cleanup_free_ char *procs = NULL;

	if (depth > MAX_DEPTH || n->folders++ == MAX_FOLDERS)
		return false;
	/* of a cgroup of threads it cannot be read: their processes are with the one above */
	if (proc_read_head(folder, "cgroup.procs", PROCS_LIMIT, &procs) > 0)
		for (const char *at = procs; (at = strchr(at, '\n')); at++)
			n->processes++;
	return count_below(folder, depth, n);
}

uint32_t cgroup_file_processes(int folder)
{
	struct counted n = {0};

	return count_folder(folder, 0, &n) ? n.processes : 0;
}
