/* SPDX-License-Identifier: MIT */
/* Recorded memory images: whatever the file says, reads stay inside it. */
#include "base/fault.h"
#include "target/mem_image.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint64_t present[2], ends[4] = {0, 0x1000, UINT64_MAX - 5, 0};
	struct mem *m, *recorder;
	struct fault f;
	char buf[5000];

	if (mem_image_parse(&m, data, len, &f))
		return 0;
	/* around the first range, and where the input says */
	if (len >= 32)
		memcpy(ends, data + 16, sizeof(uint64_t) * 2);
	ends[1] += ends[0];
	if (len >= 8)
		memcpy(&ends[3], data + len - 8, 8);
	if (!mem_record_open(&recorder, m, 4)) {
		for (size_t i = 0; i < 4; i++) {
			for (uint64_t back = 0; back < 4; back++) {
				mem_read(m, ends[i] - back * 3, buf, sizeof(buf) - back * 1500);
				mem_read(recorder, ends[i] - back * 3, buf, 8);
			}
			mem_presence(m, ends[i] & ~4095ull, 100, present);
			mem_presence(m, (ends[i] & ~4095ull) - 4096 * 50, 100, present);
		}
		mem_close(recorder);
	}
	mem_close(m);
	return 0;
}
