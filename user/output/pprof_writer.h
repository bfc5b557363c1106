/* SPDX-License-Identifier: MIT */
/*
 * The parts of pprof's format that others refer to by number: strings, functions, locations. Each is
 * written when it is first asked for.
 *
 * Messages of one type that follow each other are one message by the rules of protobuf: repeated
 * members add up. So each string, function, location and sample is written as a profile of its own,
 * and only numbers are held.
 */
#ifndef PMT_OUTPUT_PPROF_WRITER_H
#define PMT_OUTPUT_PPROF_WRITER_H

#include "model/profile.h"
#include "output/gzip.h"
#include "output/pprof.pb-c.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PPROF_MAPPING_ID 1

struct pprof_numbered;

struct pprof_writer {
	struct gzip gz;
	const struct profile *p;
	struct pprof_numbered *strings, *locations;
	uint64_t nr_strings, nr_locations;
	bool *written; /* functions */
	uint8_t *buf;
	size_t size;
	int err; /* -ENOMEM, once; nothing is written after it */
};

int pprof_begin(struct pprof_writer *w, FILE *out, const struct profile *p);

/* Releases. 0, or what went wrong at any time. */
int pprof_end(struct pprof_writer *w);

void pprof_emit(struct pprof_writer *w, const Pprof__Profile *part);

/* Index of a string that is safe for a terminal. The first must be "". */
int64_t pprof_string(struct pprof_writer *w, const char *s);

/* The same of one that is not: pprof prints as it is told to. */
int64_t pprof_untrusted(struct pprof_writer *w, const char *s);

/* Number of a place in the stack: a frame, a cause, or what stands for frames that are missing. */
uint64_t pprof_frame(struct pprof_writer *w, const struct profile_frame *f);
uint64_t pprof_cause(struct pprof_writer *w, enum profile_cause c);
uint64_t pprof_truncated(struct pprof_writer *w);

#endif
