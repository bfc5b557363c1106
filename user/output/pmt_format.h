/* SPDX-License-Identifier: MIT */
/* What writer and reader of recordings share; the picture is in pmt.h. */
#ifndef PMT_OUTPUT_PMT_FORMAT_H
#define PMT_OUTPUT_PMT_FORMAT_H

#include <endian.h>
#include <stdint.h>
#include <zlib.h>

/* Not text, not UTF-8, and spoiled by whatever changes line ends on its way. */
#define PMT_MAGIC	"\x89PMT\r\n\x1a"
#define PMT_MAGIC_BYTES 7
#define PMT_VERSION	1 /* the byte behind it */
#define PMT_START_BYTES (PMT_MAGIC_BYTES + 1)

enum pmt_kind {
	PMT_HEAD = 1, /* the first */
	PMT_FUNCTIONS,
	PMT_STACKS,
	PMT_THREADS,
	PMT_PROCESS,
	PMT_ROWS,
	PMT_ARENAS,
	PMT_MOMENT,
	PMT_END, /* a Moment too */
};

struct pmt_frame {
	uint32_t length, kind, crc; /* little-endian */
};

/* Of a payload. What unpacking takes is a multiple of it. */
#define PMT_MAX_PAYLOAD (1u << 20)

/* An amount of bytes or events: exact in JSON too, and a sum of some cannot overflow. */
#define PMT_MAX_FIGURE (1ull << 53)

/* Each process has its share of every row looked at. */
#define PMT_MAX_PROCESSES 16384

static inline uint32_t pmt_crc(const struct pmt_frame *frame, const void *payload, size_t len)
{
	uLong crc = crc32(0, (const Bytef *)frame, offsetof(struct pmt_frame, crc));

	return (uint32_t)crc32_z(crc, payload, len);
}

#endif
