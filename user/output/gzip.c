/* SPDX-License-Identifier: MIT */
/* zlib's deflate with gzip's frame, to a stdio stream that may not be a file: gzopen wants an fd. */
#include "output/gzip.h"

#include "base/cleanup.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define GZIP_WINDOW_BITS (15 + 16) /* zlib.h: 16 more is gzip's header and trailer */
#define GZIP_MEMORY	 8	   /* zlib's default */

int gzip_begin(struct gzip *g, FILE *out)
{
	memset(g, 0, sizeof(*g));
	g->out = out;
	if (deflateInit2(&g->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEMORY,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		g->err = -ENOMEM;
	return g->err;
}

/* Until the input is used up and, with Z_FINISH, the trailer is out. */
static void deflate_all(struct gzip *g, int flush)
{
	unsigned char buf[16384];

	do {
		size_t n;

		g->z.next_out = buf;
		g->z.avail_out = sizeof(buf);
		deflate(&g->z, flush);
		n = sizeof(buf) - g->z.avail_out;
		errno = 0;
		if (fwrite(buf, 1, n, g->out) != n)
			g->err = errno ? -errno : -EIO;
	} while (!g->err && g->z.avail_out == 0);
}

void gzip_write(struct gzip *g, const void *data, size_t len)
{
	const unsigned char *p = data;

	while (!g->err && len) {
		size_t n = min(len, (size_t)INT_MAX);

		g->z.next_in = (unsigned char *)p;
		g->z.avail_in = (unsigned int)n;
		deflate_all(g, Z_NO_FLUSH);
		p += n;
		len -= n;
	}
}

int gzip_end(struct gzip *g)
{
	if (!g->err)
		deflate_all(g, Z_FINISH);
	deflateEnd(&g->z);
	return g->err;
}
