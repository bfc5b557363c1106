/* SPDX-License-Identifier: MIT */
/* A gzip member written to a stream piece by piece; equal input gives equal bytes (no time, no name). */
#ifndef PMT_OUTPUT_GZIP_H
#define PMT_OUTPUT_GZIP_H

#include <stddef.h>
#include <stdio.h>
#include <zlib.h>

struct gzip {
	z_stream z;
	FILE *out;
	int err; /* of the first failure, negative; later calls do nothing */
};

int gzip_begin(struct gzip *g, FILE *out);
void gzip_write(struct gzip *g, const void *data, size_t len);

/* Writes what is left and releases. 0, or what went wrong at any time. */
int gzip_end(struct gzip *g);

#endif
