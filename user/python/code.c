/* SPDX-License-Identifier: MIT */
#include "python/code.h"

#include "base/cleanup.h"
#include "python/internal.h"
#include "python/strings.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_TEXT  4096	      /* characters; a path has PATH_MAX bytes */
#define MAX_BYTES (16u << 20) /* a line table has some bytes per line of source */

int py_code_type(struct python *p, uint64_t *ret)
{
	const struct py_layout *l = &p->layout;
	uint32_t want = l->code_adaptive != PY_NONE ? l->code_adaptive : l->code_size;
	uint64_t type, size;

	if (py_file_address(&p->file, "PyCode_Type", &type, NULL))
		return -ENOTSUP;
	/* since 3.11 the code itself is the variable part, at the object's end */
	if (mem_read_u64(p->mem, type + l->type_basicsize, &size) || size != want)
		return -ENOTSUP;
	*ret = type;
	return 0;
}

int py_code_read(struct python *p, uint64_t code, uint64_t type, struct py_code *ret)
{
	const struct py_layout *l = &p->layout;
	uint64_t is;
	uint32_t line;

	if (mem_read_u64(p->mem, code + l->object_type, &is) || is != type ||
	    mem_read_u64(p->mem, code + l->code_name, &ret->name) ||
	    mem_read_u64(p->mem, code + l->code_filename, &ret->file) ||
	    mem_read_u64(p->mem, code + l->code_linetable, &ret->line_table) ||
	    mem_read_u32(p->mem, code + l->code_firstlineno, &line))
		return -ESTALE;
	ret->first_line = (int32_t)line;
	return 0;
}

/* A bit-field's place is counted from the begin of its structure; the three are in one u32. */
static uint32_t state_bits(const struct py_layout *l, uint32_t state, uint32_t bit, uint32_t mask)
{
	uint32_t shift = bit - l->unicode_state * 8;

	return shift < 32 ? state >> shift & mask : 0;
}

int py_text_read(struct python *p, uint64_t object, char **ret)
{
	const struct py_layout *l = &p->layout;
	_cleanup_free_ char *raw = NULL;
	uint64_t length, data;
	uint32_t state, kind;
	size_t nr, size;
	int err;

	err = mem_read_u32(p->mem, object + l->unicode_state, &state);
	if (!err)
		err = mem_read_u64(p->mem, object + l->unicode_length, &length);
	if (err)
		return err;
	kind = state_bits(l, state, l->unicode_kind_bit, 7);
	if ((kind != 1 && kind != 2 && kind != 4) || length > INT64_MAX)
		return -EINVAL;
	/* characters are behind the header; those of a subclass of str are elsewhere */
	if (state_bits(l, state, l->unicode_compact_bit, 1))
		data = object + (state_bits(l, state, l->unicode_ascii_bit, 1)
					 ? l->unicode_ascii_size
					 : l->unicode_compact_size);
	else if ((err = mem_read_u64(p->mem, object + l->unicode_compact_size, &data)))
		return err;
	nr = (size_t)min(length, (uint64_t)MAX_TEXT);
	size = PYTHON_TEXT_SIZE(nr);
	raw = malloc(nr * kind + 1);
	*ret = malloc(size);
	err = raw && *ret ? mem_read(p->mem, data, raw, nr * kind) : -ENOMEM;
	if (err) {
		free(*ret);
		*ret = NULL;
		return err;
	}
	python_text(*ret, size, kind, raw, nr, nr < length);
	return 0;
}

int py_bytes_read(struct python *p, uint64_t object, uint8_t **ret, size_t *ret_len)
{
	_cleanup_free_ uint8_t *data = NULL;
	uint64_t n;
	int err = mem_read_u64(p->mem, object + p->layout.bytes_size, &n);

	if (err)
		return err;
	if (n > MAX_BYTES)
		return -EINVAL;
	data = malloc((size_t)n + 1);
	if (!data)
		return -ENOMEM;
	err = mem_read(p->mem, object + p->layout.bytes_data, data, (size_t)n);
	if (err)
		return err;
	*ret = steal_ptr(data);
	*ret_len = (size_t)n;
	return 0;
}
