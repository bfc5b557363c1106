/* SPDX-License-Identifier: MIT */
/*
 * Which file of a process is the interpreter: a libpython3*.so if one is mapped, else the program
 * itself, else another library that carries one (an application that embeds CPython statically in a
 * plug-in). A file counts only if it exports what every CPython since 3.6 exports.
 */
#include "python/internal.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CANDIDATES 64 /* files of one rank that are opened to look for an interpreter */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* libpython3.12.so.1.0, libpython3.6m.so.1.0; not libpython3.so, the stable ABI's empty stub. */
static bool is_libpython(const char *path)
{
	const char *name = base_name(path);

	return !strncmp(name, "libpython3.", 11) && strcmp(name, "libpython3.so");
}

static bool same_file(const struct vma *a, const struct vma *b)
{
	return a->inode == b->inode && a->dev == b->dev;
}

static bool is_interpreter(const struct elf_file *elf)
{
	struct elf_symbol s;

	return (!elf_file_dynamic_symbol(elf, "_PyRuntime", &s) || /* 3.7+ */
		!elf_file_dynamic_symbol(elf, "_PyThreadState_Current", &s) /* 3.6 */) &&
	       !elf_file_dynamic_symbol(elf, "Py_GetVersion", &s);
}

static int try_file(struct py_file *ret, const struct target *t, const struct maps *maps,
		    const struct vma *first, struct fault *f)
{
	_cleanup_fd_ int fd = target_open_mapped(t, first, f);
	struct elf_file *elf = NULL;
	uint64_t end = first->end;
	char name[512];
	int err;

	if (fd < 0)
		return fd;
	text_escape(name, sizeof(name), first->path, strlen(first->path));
	err = elf_file_open(&elf, fd, name, t, f);
	if (err)
		return err;
	if (!is_interpreter(elf)) {
		elf_file_close(elf);
		return -ENOEXEC;
	}
	/* .bss continues as an anonymous mapping right behind the last one of the file */
	for (size_t i = 0; i < maps->nr; i++) {
		const struct vma *v = &maps->v[i];

		if (v->start < first->start)
			continue;
		if (same_file(v, first) || (v->start == end && !v->inode && v->write &&
					    (!v->path || !strcmp(v->path, "[heap]"))))
			end = max(end, v->end);
	}
	*ret = (struct py_file){
		.elf = elf,
		.fd = steal_fd(&fd),
		.bias = elf_file_bias(elf, first->start),
		.start = first->start,
		.end = end,
		.dev = first->dev,
		.inode = first->inode,
		.name = strdup(name),
		.shared = is_libpython(first->path),
	};
	if (!ret->name) {
		py_file_done(ret);
		return -ENOMEM;
	}
	return 0;
}

/*
 * 0: libpython, 1: the program, 2: a library that may carry one, -1: none. The program is the first
 * file mapped; a shared library that is no plug-in of Python's cannot carry one.
 */
static int rank_of(const struct vma *v, const struct vma *program)
{
	if (is_libpython(v->path))
		return 0;
	if (same_file(v, program))
		return 1;
	return strstr(base_name(v->path), "python") ? 2 : -1;
}

/*
 * The files of one rank, each once: a process may map hundreds of libraries, and more files that are
 * none, before the interpreter's.
 */
static size_t find_candidates(const struct maps *maps, int rank,
			      const struct vma *ret[MAX_CANDIDATES])
{
	const struct vma *program = NULL;
	size_t nr = 0, k;

	for (size_t i = 0; i < maps->nr && nr < MAX_CANDIDATES; i++) {
		const struct vma *v = &maps->v[i];

		if (!v->inode || !v->path || v->path[0] != '/' || v->offset)
			continue;
		if (!program)
			program = v;
		if (rank_of(v, program) != rank)
			continue;
		for (k = 0; k < nr; k++)
			if (same_file(ret[k], v))
				break;
		if (k == nr)
			ret[nr++] = v;
	}
	return nr;
}

int py_file_find(struct py_file *ret, const struct target *t, const struct maps *maps,
		 struct fault *f)
{
	const struct vma *candidates[MAX_CANDIDATES];
	int last_err = -ENOEXEC;

	for (int rank = 0; rank <= 2; rank++) {
		size_t nr = find_candidates(maps, rank, candidates);

		for (size_t k = 0; k < nr; k++) {
			struct fault why = {0};
			int err = try_file(ret, t, maps, candidates[k], &why);

			if (!err)
				return 0;
			if (err != -ENOEXEC && rank < 2) {
				last_err = err;
				if (f)
					*f = why;
			}
		}
	}
	if (last_err != -ENOEXEC)
		return last_err;
	return fault_set(f, ENOEXEC, "pid %d is not a CPython process", (int)t->pid);
}

void py_file_done(struct py_file *file)
{
	elf_file_close(file->elf);
	if (file->fd > 0)
		close(file->fd);
	free(file->name);
	*file = (struct py_file){.fd = -1};
}

int py_file_address(const struct py_file *file, const char *symbol, uint64_t *ret_addr,
		    uint64_t *ret_size)
{
	struct elf_symbol s;
	int err = elf_file_symbol(file->elf, symbol, &s);

	if (err)
		return err;
	*ret_addr = s.value + file->bias;
	if (ret_size)
		*ret_size = s.size;
	return 0;
}
