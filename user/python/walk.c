/* SPDX-License-Identifier: MIT */
/*
 * Where a walker of Python stacks starts in one process, and which machine code counts as Python's own.
 */
#include "python/internal.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/log.h"
#include "python/code.h"

#include <errno.h>
#include <string.h>

/* libc-2.31.so and libpthread are of glibc before 2.34; "libc.so" alone is musl's own name for it. */
static bool is_libc(const char *path)
{
	static const char *const prefixes[] = {
		"libc.so.", "libc-2.", "libc.musl-", "libpthread.so.", "libpthread-2.",
		"ld-linux", "ld-2.",   "ld.so.",     "ld-musl-",
	};
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return true;
	return !strcmp(name, "libc.so") || !strcmp(path, "[vdso]");
}

static void add_text(struct python_walk_info *ret, const struct vma *v)
{
	if (ret->nr_text && ret->text[ret->nr_text - 1].end == v->start) {
		ret->text[ret->nr_text - 1].end = v->end;
		return;
	}
	if (ret->nr_text == PYTHON_MAX_TEXT) {
		log_debug("text at %#llx is one range too many", (unsigned long long)v->start);
		return;
	}
	ret->text[ret->nr_text].start = v->start;
	ret->text[ret->nr_text++].end = v->end;
}

/* Read anew each time: when the interpreter was found, ld.so may not have mapped libc yet. */
static int find_text(struct python *p, struct python_walk_info *ret, struct fault *f)
{
	_cleanup_(maps_done) struct maps maps = {0};
	int err = target_maps(p->target, &maps, f);

	for (size_t i = 0; !err && i < maps.nr; i++) {
		const struct vma *v = &maps.v[i];

		if (v->exec && ((v->inode == p->file.inode && v->dev == p->file.dev && v->inode) ||
				(v->path && is_libc(v->path))))
			add_text(ret, v);
	}
	return err;
}

/* What every walk needs; a build may lack a row where CPython's names have changed. */
static bool can_walk(const struct python *p)
{
	const struct py_layout *l = &p->layout;
	const uint32_t always[] = {
		l->code_size,	      l->code_firstlineno,   l->code_filename,
		l->code_name,	      l->code_linetable,     l->frame_previous,
		l->frame_code,	      l->interp_threads,     l->interp_next,
		l->tstate_next,	      l->tstate_interp,	     l->tstate_thread_id,
		l->unicode_length,    l->unicode_state,	     l->bytes_size,
		l->bytes_data,	      l->unicode_kind_bit,   l->unicode_compact_bit,
		l->unicode_ascii_bit, l->unicode_ascii_size, l->unicode_compact_size,
		l->object_type,	      l->type_basicsize,
	};

	if (!l->code_size) /* no layout was chosen */
		return false;
	if (!p->runtime && PY_MINOR(p->id.version_hex) >= 0x0307)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		if (always[i] == PY_NONE)
			return false;
	if (l->tstate_frame == PY_NONE &&
	    (l->tstate_cframe == PY_NONE || l->cframe_current_frame == PY_NONE))
		return false;
	return l->frame_instr != PY_NONE ? l->code_adaptive != PY_NONE && l->frame_owner != PY_NONE
					 : l->frame_lasti != PY_NONE;
}

uint64_t py_tstate_current(const struct python *p)
{
	const struct py_layout *l = &p->layout;
	uint64_t ret = 0;

	if (!p->runtime)
		py_file_address(&p->file, "_PyThreadState_Current", &ret, NULL);
	else if (l->runtime_tstate_current != PY_NONE)
		ret = p->runtime + l->runtime_tstate_current;
	return ret;
}

int python_walk_info(struct python *p, struct python_walk_info *ret, struct fault *f)
{
	int err;

	memset(ret, 0, sizeof(*ret));
	ret->version_hex = p->id.version_hex;
	ret->line_format = line_format_of(p->id.version_hex);
	ret->lasti_unit = lasti_unit_of(p->id.version_hex);
	ret->layout = &p->layout;
	ret->runtime = p->runtime;
	/* without a GIL each thread runs its own copy of the code (PEP 703) */
	if (p->id.free_threaded || !can_walk(p) || py_code_type(p, &ret->code_type))
		return fault_set(f, ENOTSUP, "pid %d: no layout describes the frames of its %s",
				 (int)p->target->pid, p->file.name);
	ret->tstate_current = py_tstate_current(p);
	ret->interpreters_head = py_interpreters_head(p);
	err = find_text(p, ret, f);
	if (!err)
		err = py_locate_interpreter(p, f);
	if (!err)
		ret->interp = p->interp;
	return err;
}

int python_read_code_lines(struct python *p, uint64_t code, uint64_t name, int32_t first_line,
			   uint8_t **ret, size_t *ret_len)
{
	_cleanup_free_ uint8_t *table = NULL;
	struct py_code before, after;
	uint64_t type;
	size_t n;
	int err;

	if (!can_walk(p) || py_code_type(p, &type))
		return -ENOTSUP;
	if (py_code_read(p, code, type, &before) || before.name != name ||
	    before.first_line != first_line)
		return -ESTALE;
	err = py_bytes_read(p, before.line_table, &table, &n);
	if (err)
		return err == -ENOMEM ? err : -ESTALE;
	/* what was read was the table of this object only if it still is */
	if (py_code_read(p, code, type, &after) || after.name != name ||
	    after.first_line != first_line || after.line_table != before.line_table)
		return -ESTALE;
	*ret = steal_ptr(table);
	*ret_len = n;
	return 0;
}
