/* SPDX-License-Identifier: MIT */
/*
 * The walker over memory that lies. Input: the number of a recorded interpreter (one byte), then
 * changes of its memory, five bytes each: where (u32, little-endian), and what to flip there.
 */
#include "base/fault.h"
#include "../unit/walk_fixture.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADER 16 /* of an image; the list of ranges after it is what finds memory at all */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"pyenv-3.6.15", "pyenv-3.9.18", "system-3.11",
					    "pyenv-3.12.1", "forky-3.15"};
	static const struct target nobody = {.pid = 1};
	struct read_losses losses;
	struct malloc_stats stats;
	struct fault f = {0};
	void *image = NULL;
	struct python p;
	size_t len = 0;

	if (!size || walk_load_state(names[data[0] % 5], &nobody, &p) ||
	    walk_load_image(names[data[0] % 5], &image, &len))
		return 0;
	for (size_t at = 1; at + 5 <= size; at += 5) {
		uint32_t where;

		memcpy(&where, data + at, sizeof(where));
		((uint8_t *)image)[HEADER + where % (len - HEADER)] ^= data[at + 4];
	}
	if (!mem_image_parse(&p.mem, image, len, &f)) {
		python_read_stats(&p, &stats, &losses, &f);
		mem_close(p.mem);
	}
	free(image);
	return 0;
}
