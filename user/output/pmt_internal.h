/* SPDX-License-Identifier: MIT */
/* What the files of output/pmt_*.c share; the picture of a recording is in pmt.h. */
#ifndef PMT_OUTPUT_PMT_INTERNAL_H
#define PMT_OUTPUT_PMT_INTERNAL_H

#include "model/profile.h"
#include "output/pmt.pb-c.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

struct fault;

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

/* Of a payload. What unpacking it takes is a multiple of that. */
#define PMT_MAX_PAYLOAD (1u << 20)

/* An amount of bytes or events: exact in JSON too. */
#define PMT_MAX_FIGURE (UINT64_C(1) << 53)

/* Every process has all rows looked through: both, and their product, are bounded. */
#define PMT_MAX_PROCESSES 16384
#define PMT_MAX_SEARCH	  (UINT64_C(1) << 32)

static inline uint32_t pmt_crc(const struct pmt_frame *frame, const void *payload, size_t len)
{
	uLong crc = crc32(0, (const Bytef *)frame, offsetof(struct pmt_frame, crc));

	return (uint32_t)crc32_z(crc, payload, len);
}

/* A message as it is in the file. */
struct pmt_packed {
	uint8_t *bytes;
	size_t len;
};

struct pmt_writer {
	struct sink *sink;
	uint8_t *buf; /* of the frame being written */
	size_t size;
	int64_t moment_ns; /* end_ns of the last update */
	int err;	   /* positive, of the first failure: then nothing more is written */
	bool started;
	/* what is in the file */
	struct pmt_packed head, *processes;
	struct profile_row *rows;
	struct profile_arena *arenas;
	uint32_t nr_functions, nr_stacks, nr_threads, nr_processes, nr_rows, nr_arenas;
	uint32_t size_processes, size_rows, size_arenas;
};

/* A frame of m; or only if last, which is what is in the file, says something else. */
int pmt_write_message(struct pmt_writer *w, enum pmt_kind kind, const ProtobufCMessage *m);
int pmt_write_changed(struct pmt_writer *w, enum pmt_kind kind, const ProtobufCMessage *m,
		      struct pmt_packed *last);

/* Each writes what of its kind is not in the file: 0, -ENOMEM, -E2BIG. */
int pmt_write_functions(struct pmt_writer *w, const struct profile *p);
int pmt_write_stacks(struct pmt_writer *w, const struct profile *p);
int pmt_write_threads(struct pmt_writer *w, const struct profile *p);
int pmt_write_processes(struct pmt_writer *w, const struct profile *p);
int pmt_write_rows(struct pmt_writer *w, const struct profile *p);
int pmt_write_arenas(struct pmt_writer *w, const struct profile *p);

/* A profile while it is read. */
struct pmt_builder {
	struct profile *p;
	uint32_t *rows; /* of an index in the file: the row, or PROFILE_NONE of an unknown event */
	uint32_t nr_rows, size_rows;
	const char *bad; /* -EINVAL: what is wrong, for the message */
};

static inline int pmt_bad(struct pmt_builder *b, const char *what)
{
	b->bad = what;
	return -EINVAL;
}

/* Applies one frame. 0 also for a kind that is not known. -EINVAL, -ENOMEM. */
int pmt_apply(struct pmt_builder *b, uint32_t kind, const uint8_t *payload, size_t len);

/* Makes the figures fit together, or refuses them. */
int pmt_finish(struct pmt_builder *b);

#endif
