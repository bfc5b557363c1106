/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a recording. What is accepted must be a profile that keeps its promises, survive write
 * and read, and be shown in every format. Mutations hardly ever find a checksum: the harness sets those of all frames first,
 * so that what is behind them is met.
 */
#include "base/fault.h"
#include "output/pmt.h"
#include "output/pmt_internal.h"
#include "output/profile_out.h"
#include "output/sink.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int true_or_bug)
{
	if (!true_or_bug)
		abort();
}

static void set_checksums(uint8_t *bytes, size_t size)
{
	struct pmt_frame frame;
	size_t len;

	for (size_t at = PMT_START_BYTES; at + sizeof(frame) <= size; at += sizeof(frame) + len) {
		memcpy(&frame, bytes + at, sizeof(frame));
		len = le32toh(frame.length);
		if (len > size - at - sizeof(frame))
			return;
		frame.crc = htole32(pmt_crc(&frame, bytes + at + sizeof(frame), len));
		memcpy(bytes + at, &frame, sizeof(frame));
	}
}

static int read_bytes(const void *bytes, size_t size, struct profile **ret)
{
	FILE *in = fmemopen((void *)bytes, size, "re");
	struct fault f = {0};
	int err;

	check(in != NULL);
	err = pmt_read(in, "input", ret, &f);
	check(!err || (f.err == -err && f.text[0]));
	fclose(in);
	return err;
}

/* What every format takes for granted. */
static void check_profile(const struct profile *p)
{
	struct profile_change all[PROFILE_EVENTS];

	check(p->host && p->program && p->end_ns >= p->begin_ns && p->page_bytes && p->step_pages);
	for (uint32_t i = 0; i < p->nr_stacks; i++) {
		check(p->stacks[i].nr >= 1 && p->stacks[i].nr <= PROFILE_MAX_FRAMES);
		for (uint32_t j = 0; j < p->stacks[i].nr; j++)
			check(p->stacks[i].frames[j].function < p->nr_functions);
	}
	for (uint32_t i = 0; i < p->nr_rows; i++) {
		const struct profile_row *r = &p->rows[i];

		check(r->stack < p->nr_stacks && r->thread < p->nr_threads &&
		      r->event < PROFILE_EVENTS && r->change.growth >= 0 && r->change.shrink >= 0 &&
		      r->first_ns <= r->last_ns);
	}
	for (int e = 0; e < PROFILE_EVENTS; e++) {
		all[e] = profile_attributed(p, e, 0);
		check(all[e].growth >= 0 && all[e].shrink >= 0);
	}
	for (uint32_t i = 0; i < p->nr_processes; i++) {
		const struct profile_process *of = &p->processes[i];
		struct profile_change sum = profile_attributed(p, PROFILE_RSS, of->pid);

		for (int c = 0; c < PROFILE_CAUSES; c++) {
			sum.growth += of->causes[PROFILE_RSS][c].growth;
			sum.shrink += of->causes[PROFILE_RSS][c].shrink;
		}
		check(sum.growth - sum.shrink == of->rss_after - of->rss_before);
	}
}

static void check_again(const struct profile *p)
{
	struct pmt_writer *w;
	struct fault f = {0};
	struct sink s = {0};
	struct profile *again;
	char *bytes = NULL;
	size_t len = 0;

	s.f = open_memstream(&bytes, &len);
	w = pmt_writer_new(&s);
	check(s.f && w);
	check(pmt_writer_end(w, p, &f) == 0);
	fclose(s.f);
	check(read_bytes(bytes, len, &again) == 0);
	check(!again->cut_short && again->nr_rows == p->nr_rows &&
	      again->nr_functions == p->nr_functions && again->nr_stacks == p->nr_stacks &&
	      again->nr_threads == p->nr_threads && again->nr_arenas == p->nr_arenas &&
	      again->nr_processes == p->nr_processes && again->end_ns == p->end_ns);
	profile_free(again);
	pmt_writer_free(w);
	free(bytes);
}

static void show(const struct profile *p)
{
	const struct profile_view views[] = {
		{.top = 20},
		{.top = PROFILE_TOP_ALL, .min_bytes = 1, .inverted = true, .by_thread = true},
	};
	FILE *out = fopen("/dev/null", "we");
	struct fault f = {0};

	check(out != NULL);
	for (size_t v = 0; v < sizeof(views) / sizeof(views[0]); v++)
		for (const struct profile_format *t = profile_formats; t->name; t++)
			check(profile_write(out, p, &views[v], t->name, &f) == 0);
	fclose(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct profile *p;
	uint8_t *bytes;

	if (!size)
		return 0;
	if (!read_bytes(data, size, &p))
		profile_free(p);
	bytes = malloc(size);
	check(bytes != NULL);
	memcpy(bytes, data, size);
	set_checksums(bytes, size);
	if (!read_bytes(bytes, size, &p)) {
		check_profile(p);
		check_again(p);
		show(p);
		profile_free(p);
	}
	free(bytes);
	return 0;
}
