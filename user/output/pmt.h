/* SPDX-License-Identifier: MIT */
/*
 * The recording, FILE.pmt: a profile that is written while it grows, and read back.
 *
 *	magic and major version                     8 bytes
 *	{length, kind, crc32 of both and payload}   3 * 4 bytes, little-endian
 *	payload                                     a message of pmt.proto, by kind
 *	...
 *
 * Frames are only appended. Those up to a Moment belong together, so that a file that was cut short
 * at any byte (SIGKILL, a full disk) is, up to the last Moment, a profile that adds up; the frame End
 * says that it is whole. Frames and fields of an unknown kind are skipped, a newer major version is
 * refused. A file needs nothing but itself to be read.
 */
#ifndef PMT_OUTPUT_PMT_H
#define PMT_OUTPUT_PMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct fault;
struct pmt_writer;
struct profile;
struct sink;

/* Does a file that begins with these bytes hold a recording, of any version? */
bool pmt_is_recording(const void *bytes, size_t len);

/* Writes to the sink, which must outlive it. NULL when memory ran out. */
struct pmt_writer *pmt_writer_new(struct sink *s);

/*
 * Writes what is new or changed since the last call: always the same profile, to which was only
 * added (arenas may also go), with the processes as they are by now. Cheap where little changed.
 * A call that comes sooner than 1 % of the recording's length (end_ns - begin_ns) after the last
 * one that wrote does nothing: a recording of a day loses at most some minutes by SIGKILL, and has
 * some hundred moments, not 86,400.
 * On failure (a full disk: that of sink_flush()) the file is readable up to the last moment; no
 * more can be written.
 */
int pmt_writer_update(struct pmt_writer *w, const struct profile *p, struct fault *f);

/* The last update, whatever the time, and that the file is whole. */
int pmt_writer_end(struct pmt_writer *w, const struct profile *p, struct fault *f);

void pmt_writer_free(struct pmt_writer *w); /* accepts NULL */

/*
 * Reads a recording to its last whole moment; ret->cut_short if that is not its end. PROFILE_UNEXPLAINED
 * is worked out anew (profile_balance). in may be a pipe; name is for messages. The caller frees
 * *ret.
 * -EMEDIUMTYPE: not a recording; -EINVAL: empty, cut short before its beginning, or what only damage
 * or malice can write; -ENOTSUP: of a newer version; or the errno of reading.
 */
int pmt_read(FILE *in, const char *name, struct profile **ret, struct fault *f);

#endif
