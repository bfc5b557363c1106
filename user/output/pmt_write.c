/* SPDX-License-Identifier: MIT */
/*
 * Writes a recording while its profile grows: frames, and when there is a moment. What goes into
 * the frames is in pmt_write_parts.c.
 */
#include "output/pmt.h"

#include "base/fault.h"
#include "output/pmt_internal.h"
#include "output/sink.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOMENTS 100 /* one for each of so many parts of the recording's length */

struct pmt_writer *pmt_writer_new(struct sink *s)
{
	struct pmt_writer *w = calloc(1, sizeof(*w));

	if (w)
		w->sink = s;
	return w;
}

void pmt_writer_free(struct pmt_writer *w)
{
	if (!w)
		return;
	for (uint32_t i = 0; i < w->nr_processes; i++)
		free(w->processes[i].bytes);
	free(w->head.bytes);
	free(w->processes);
	free(w->rows);
	free(w->arenas);
	free(w->buf);
	free(w);
}

/* The payload of the frame to come, in w->buf. */
static int pack(struct pmt_writer *w, const ProtobufCMessage *m, size_t *ret_len)
{
	size_t len = protobuf_c_message_get_packed_size(m);

	if (len > PMT_MAX_PAYLOAD)
		return -E2BIG;
	if (len > w->size || !w->buf) {
		uint8_t *more = realloc(w->buf, len + 1);

		if (!more)
			return -ENOMEM;
		w->buf = more;
		w->size = len;
	}
	*ret_len = protobuf_c_message_pack(m, w->buf);
	return 0;
}

/* A failed write is known to the sink, which writes nothing after it and tells at its flush. */
static void write_frame(struct pmt_writer *w, enum pmt_kind kind, size_t len)
{
	struct pmt_frame frame = {.length = htole32((uint32_t)len), .kind = htole32(kind)};

	frame.crc = htole32(pmt_crc(&frame, w->buf, len));
	fwrite(&frame, sizeof(frame), 1, w->sink->f);
	fwrite(w->buf, 1, len, w->sink->f);
}

int pmt_write_message(struct pmt_writer *w, enum pmt_kind kind, const ProtobufCMessage *m)
{
	size_t len;
	int err = pack(w, m, &len);

	if (!err)
		write_frame(w, kind, len);
	return err;
}

int pmt_write_changed(struct pmt_writer *w, enum pmt_kind kind, const ProtobufCMessage *m,
		      struct pmt_packed *last)
{
	uint8_t *copy;
	size_t len;
	int err = pack(w, m, &len);

	if (err || (last->bytes && len == last->len && !memcmp(last->bytes, w->buf, len)))
		return err;
	copy = malloc(len + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, w->buf, len);
	free(last->bytes);
	*last = (struct pmt_packed){copy, len};
	write_frame(w, kind, len);
	return 0;
}

static int write_head(struct pmt_writer *w, const struct profile *p)
{
	static const char start[PMT_START_BYTES] = PMT_MAGIC "\x01";
	Pmt__Head m = PMT__HEAD__INIT;

	_Static_assert(PMT_VERSION == 1, "the last byte of start");
	if (!w->started)
		fwrite(start, sizeof(start), 1, w->sink->f);
	w->started = true;
	m.begin_ns = p->begin_ns;
	m.exact = p->exact;
	m.batched = p->batched;
	m.step_pages = p->step_pages;
	m.page_bytes = p->page_bytes;
	m.events = p->events;
	m.host = p->host;
	m.program = p->program;
	return pmt_write_changed(w, PMT_HEAD, &m.base, &w->head);
}

static int write_moment(struct pmt_writer *w, const struct profile *p, enum pmt_kind kind)
{
	Pmt__Moment m = PMT__MOMENT__INIT;

	m.end_ns = p->end_ns;
	m.names_lost = p->names_lost;
	m.lines_lost = p->lines_lost;
	w->moment_ns = p->end_ns;
	return pmt_write_message(w, kind, &m.base);
}

/* Each names only what those before it wrote: any beginning of them can be read. */
static int write_all(struct pmt_writer *w, const struct profile *p, enum pmt_kind kind,
		     struct fault *f)
{
	static int (*const parts[])(struct pmt_writer *, const struct profile *) = {
		write_head,	     pmt_write_functions, pmt_write_stacks, pmt_write_threads,
		pmt_write_processes, pmt_write_rows,	  pmt_write_arenas,
	};
	int err = 0;

	if (w->err)
		return fault_set(f, w->err, "the recording could not be written before");
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && !err; i++)
		err = parts[i](w, p);
	if (!err)
		err = write_moment(w, p, kind);
	if (err == -E2BIG)
		fault_set(f, E2BIG, "more processes (%d) or longer names than a recording can hold",
			  PMT_MAX_PROCESSES);
	else if (err)
		fault_errno(f, -err, "cannot write the recording");
	else
		err = sink_flush(w->sink, f);
	w->err = -err;
	return err;
}

int pmt_writer_update(struct pmt_writer *w, const struct profile *p, struct fault *f)
{
	int64_t since = p->end_ns - w->moment_ns;

	/* not if the clock was set back */
	if (w->started && since >= 0 && since < (p->end_ns - p->begin_ns) / MOMENTS)
		return 0;
	return write_all(w, p, PMT_MOMENT, f);
}

int pmt_writer_end(struct pmt_writer *w, const struct profile *p, struct fault *f)
{
	return write_all(w, p, PMT_END, f);
}
