/* SPDX-License-Identifier: MIT */
/*
 * The walker of frames over memory in which everything may stand: each read is answered with the next
 * bytes of the input, whatever the address is, until there are none. Input: number of the layout, then
 * those bytes.
 */
#include "python/frames.h"
#include "python/internal.h"
#include "python/layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define CODE_TYPE 0x0101010101010101u /* easily hit */

struct input {
	struct mem mem;
	const uint8_t *data;
	size_t len;
};

static int next_bytes(struct mem *m, uint64_t addr, void *buf, size_t len)
{
	struct input *in = (struct input *)m;

	if (len > in->len)
		return -EFAULT;
	memcpy(buf, in->data, len);
	in->data += len;
	in->len -= len;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct mem_ops ops = {.read = next_bytes};
	struct python_walk_info info = {.interpreters_head = 8, .code_type = CODE_TYPE};
	const struct py_layout_entry *e;
	struct python_threads threads;
	struct python p = {0};
	struct input in = {.mem.ops = &ops};

	if (!len)
		return 0;
	e = layout_at(data[0]);
	if (!e)
		e = layout_at(0);
	in.data = data + 1;
	in.len = len - 1;
	p.layout = e->layout;
	p.mem = &in.mem;
	info.line_format = line_format_of(e->version_hex);
	info.lasti_unit = lasti_unit_of(e->version_hex);
	if (py_walk_threads(&p, &info, &threads))
		return 0;
	for (uint32_t i = 0; i < threads.nr; i++) {
		const struct python_thread *t = &threads.v[i];

		if (t->nr > PYTHON_MAX_FRAMES || (t->truncated && t->nr < PYTHON_MAX_FRAMES))
			abort();
		for (uint32_t k = 0; k < t->nr; k++)
			if (!t->frames[k].name || !t->frames[k].file || t->frames[k].line < 0)
				abort();
	}
	python_threads_done(&threads);
	return 0;
}
