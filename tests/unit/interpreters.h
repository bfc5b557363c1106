/* SPDX-License-Identifier: MIT */
/*
 * The interpreters of this machine, for tests that read their files without running them: pyenv's,
 * /usr/bin/python3.X, and those under the folders of PMT_DEBUG_DIRS ("/a:/b"; each with usr/bin and
 * usr/lib/debug, as tests/tools/python-roots.sh --debug unpacks them).
 */
#ifndef TESTS_UNIT_INTERPRETERS_H
#define TESTS_UNIT_INTERPRETERS_H

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <gelf.h>
#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_INTERPRETERS 128

struct interpreter {
	char name[128];	      /* of the test: "pyenv 3.12.1", "/usr/bin/python3.11" */
	char path[PATH_MAX];  /* the file that holds the interpreter; "" if there is none */
	char debug[PATH_MAX]; /* its separate debug file; "" if there is none */
	unsigned minor;
};

struct interpreters {
	struct interpreter i[MAX_INTERPRETERS];
	unsigned nr;
};

static inline struct interpreter *interpreters_add(struct interpreters *all, const char *name,
						   const char *path, unsigned minor)
{
	struct interpreter *i;

	if (all->nr == MAX_INTERPRETERS)
		return NULL;
	i = &all->i[all->nr++];
	snprintf(i->name, sizeof(i->name), "%s", name);
	snprintf(i->path, sizeof(i->path), "%s", path);
	i->minor = minor;
	return i;
}

/* ROOT/usr/lib/debug/.build-id/ab/cdef.debug, if it is there. */
static inline void interpreters_find_debug(struct interpreter *i, const char *root)
{
	int fd = open(i->path, O_RDONLY | O_CLOEXEC);
	const unsigned char *id;
	const void *bytes;
	char hex[65] = "";
	ssize_t n = 0;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (elf)
		n = dwelf_elf_gnu_build_id(elf, &bytes);
	id = bytes;
	for (ssize_t k = 0; k < n && k < 32; k++)
		sprintf(hex + 2 * k, "%02x", id[k]);
	snprintf(i->debug, sizeof(i->debug), "%s/usr/lib/debug/.build-id/%.2s/%s.debug", root, hex,
		 *hex ? hex + 2 : "");
	if (access(i->debug, R_OK))
		i->debug[0] = '\0';
	if (elf)
		elf_end(elf);
	if (fd >= 0)
		close(fd);
}

/* pyenv: the shared library if that was built, else the executable. */
static inline void interpreters_add_pyenv(struct interpreters *all, unsigned minor)
{
	const char *root = getenv("PYENV_ROOT"), *home = getenv("HOME");
	char pattern[PATH_MAX], name[128];
	unsigned before = all->nr;
	glob_t dirs = {0};

	if (root)
		snprintf(pattern, sizeof(pattern), "%s/versions/3.%u.*", root, minor);
	else
		snprintf(pattern, sizeof(pattern), "%s/.pyenv/versions/3.%u.*", home ? home : "",
			 minor);
	glob(pattern, 0, NULL, &dirs);
	for (size_t i = 0; i < dirs.gl_pathc; i++) {
		glob_t files = {0};

		snprintf(pattern, sizeof(pattern), "%s/lib/libpython3.*.so.*", dirs.gl_pathv[i]);
		if (glob(pattern, 0, NULL, &files)) {
			globfree(&files);
			snprintf(pattern, sizeof(pattern), "%s/bin/python3.%u", dirs.gl_pathv[i],
				 minor);
			glob(pattern, 0, NULL, &files);
		}
		snprintf(name, sizeof(name), "pyenv %s", strrchr(dirs.gl_pathv[i], '/') + 1);
		if (files.gl_pathc)
			interpreters_add(all, name, files.gl_pathv[0], minor);
		globfree(&files);
	}
	globfree(&dirs);
	if (all->nr == before) {
		snprintf(name, sizeof(name), "pyenv 3.%u", minor);
		interpreters_add(all, name, "", minor);
	}
}

/* DIR/usr/bin/python3.X and python3.Xd. */
static inline void interpreters_add_root(struct interpreters *all, const char *root)
{
	char pattern[PATH_MAX];
	glob_t files = {0};

	snprintf(pattern, sizeof(pattern), "%s/usr/bin/python3.*", root);
	glob(pattern, 0, NULL, &files);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		const char *path = files.gl_pathv[i], *base = strrchr(path, '/') + 1;
		struct interpreter *added;
		unsigned minor;
		int end = 0;

		if (sscanf(base, "python3.%u%n", &minor, &end) != 1 ||
		    (base[end] && strcmp(base + end, "d")))
			continue;
		added = interpreters_add(all, path, path, minor);
		if (added)
			interpreters_find_debug(added, root);
	}
	globfree(&files);
}

static inline struct interpreters *interpreters_find(unsigned first_minor, unsigned last_minor)
{
	const char *dirs = getenv("PMT_DEBUG_DIRS");
	struct interpreters *all = calloc(1, sizeof(*all));
	char *copy, *dir, *save = NULL;

	if (!all)
		abort();
	for (unsigned minor = first_minor; minor <= last_minor; minor++)
		interpreters_add_pyenv(all, minor);
	interpreters_add_root(all, "");
	copy = dirs ? strdup(dirs) : NULL;
	for (dir = copy ? strtok_r(copy, ":", &save) : NULL; dir; dir = strtok_r(NULL, ":", &save))
		interpreters_add_root(all, dir);
	free(copy);
	return all;
}

#endif
