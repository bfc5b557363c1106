/* SPDX-License-Identifier: MIT */
/*
 * The parts of a recording, of each only what is not in the file by now. They go into frames of at
 * most so many entries that no frame is larger than PMT_MAX_PAYLOAD, and none of it is held twice.
 */
#include "base/cleanup.h"
#include "output/pmt_internal.h"

#include <errno.h>
#include <string.h>

#define BATCH	      1024
#define BATCH_TEXT    (256u << 10) /* bytes of strings of a frame, unless a single one is longer */
#define MAX_COMMAND   (64u << 10)  /* bytes kept of a command line */
#define MAX_VARINT_32 5
#define MAX_VARINT_64 10

/* Room for nr of elem bytes; new ones are 0. */
static int grow(void **array, uint32_t nr, uint32_t *size, size_t elem)
{
	uint32_t wanted = max(nr, *size * 2);
	void *more;

	if (nr <= *size)
		return 0;
	more = reallocarray(*array, wanted, elem);
	if (!more)
		return -ENOMEM;
	memset((char *)more + *size * elem, 0, (wanted - *size) * elem);
	*array = more;
	*size = wanted;
	return 0;
}

int pmt_write_functions(struct pmt_writer *w, const struct profile *p)
{
	while (w->nr_functions < p->nr_functions) {
		Pmt__Function entries[BATCH], *pointers[BATCH];
		Pmt__Functions m = PMT__FUNCTIONS__INIT;
		size_t text = 0;
		uint32_t n = 0;
		int err;

		for (; n < BATCH && w->nr_functions + n < p->nr_functions; n++) {
			const struct profile_function *f = &p->functions[w->nr_functions + n];

			text += strlen(f->name) + strlen(f->file);
			if (n && text > BATCH_TEXT)
				break;
			pmt__function__init(&entries[n]);
			entries[n].kind = f->kind;
			entries[n].name = f->name;
			entries[n].file = f->file;
			entries[n].first_line = f->first_line;
			pointers[n] = &entries[n];
		}
		m.n_function = n;
		m.function = pointers;
		err = pmt_write_message(w, PMT_FUNCTIONS, &m.base);
		if (err)
			return err;
		w->nr_functions += n;
	}
	return 0;
}

/* m has room for the frames of its stacks. */
static void fill_stacks(Pmt__Stacks *m, const struct profile_stack *stacks)
{
	size_t at = 0;

	for (size_t i = 0; i < m->n_nr_frames; i++) {
		m->nr_frames[i] = stacks[i].nr;
		m->truncated[i] = stacks[i].truncated;
		for (uint32_t j = 0; j < stacks[i].nr; j++, at++) {
			m->function[at] = stacks[i].frames[j].function;
			m->line[at] = stacks[i].frames[j].line;
		}
	}
}

static int write_stacks(struct pmt_writer *w, const struct profile_stack *stacks, uint32_t nr,
			size_t nr_frames)
{
	_cleanup_free_ uint32_t *functions = calloc(nr_frames + 1, sizeof(*functions));
	_cleanup_free_ int32_t *lines = calloc(nr_frames + 1, sizeof(*lines));
	protobuf_c_boolean truncated[BATCH];
	Pmt__Stacks m = PMT__STACKS__INIT;
	uint32_t lengths[BATCH];

	if (!functions || !lines)
		return -ENOMEM;
	m.n_nr_frames = m.n_truncated = nr;
	m.nr_frames = lengths;
	m.truncated = truncated;
	m.n_function = m.n_line = nr_frames;
	m.function = functions;
	m.line = lines;
	fill_stacks(&m, stacks);
	return pmt_write_message(w, PMT_STACKS, &m.base);
}

int pmt_write_stacks(struct pmt_writer *w, const struct profile *p)
{
	_Static_assert(BATCH * (2 + PROFILE_MAX_FRAMES * 2 * MAX_VARINT_32) / 2 < PMT_MAX_PAYLOAD,
		       "a frame of stacks, half a batch of the deepest");
	while (w->nr_stacks < p->nr_stacks) {
		const struct profile_stack *stacks = &p->stacks[w->nr_stacks];
		uint32_t left = p->nr_stacks - w->nr_stacks, n = 0;
		size_t nr_frames = 0;
		int err;

		while (n < min(left, (uint32_t)BATCH) && nr_frames < BATCH / 2 * PROFILE_MAX_FRAMES)
			nr_frames += stacks[n++].nr;
		err = write_stacks(w, stacks, n, nr_frames);
		if (err)
			return err;
		w->nr_stacks += n;
	}
	return 0;
}

int pmt_write_threads(struct pmt_writer *w, const struct profile *p)
{
	while (w->nr_threads < p->nr_threads) {
		Pmt__Thread entries[BATCH], *pointers[BATCH];
		Pmt__Threads m = PMT__THREADS__INIT;
		uint32_t n = 0;
		int err;

		for (; n < BATCH && w->nr_threads + n < p->nr_threads; n++) {
			struct profile_thread *t = &p->threads[w->nr_threads + n];

			pmt__thread__init(&entries[n]);
			entries[n].pid = (uint32_t)t->pid;
			entries[n].tid = (uint32_t)t->tid;
			entries[n].comm.data = (uint8_t *)t->comm;
			entries[n].comm.len = strnlen(t->comm, sizeof(t->comm));
			pointers[n] = &entries[n];
		}
		m.n_thread = n;
		m.thread = pointers;
		err = pmt_write_message(w, PMT_THREADS, &m.base);
		if (err)
			return err;
		w->nr_threads += n;
	}
	return 0;
}

static size_t fill_causes(Pmt__Cause *entries, const struct profile_process *p)
{
	size_t n = 0;

	for (uint32_t e = 0; e < PROFILE_EVENTS; e++)
		for (uint32_t c = 0; c < PROFILE_CAUSES; c++) {
			const struct profile_change *change = &p->causes[e][c];

			if (!change->growth && !change->shrink && !change->events)
				continue;
			pmt__cause__init(&entries[n]);
			entries[n].event = e;
			entries[n].cause = c;
			entries[n].growth = (uint64_t)change->growth;
			entries[n].shrink = (uint64_t)change->shrink;
			entries[n].events = change->events;
			n++;
		}
	return n;
}

/* A command line may be megabytes: cut between two characters. NULL: it need not be. */
static int cut(const char *s, char **ret)
{
	size_t n = strnlen(s, MAX_COMMAND + 1);

	*ret = NULL;
	if (n <= MAX_COMMAND)
		return 0;
	n = MAX_COMMAND;
	while (n && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	*ret = strndup(s, n);
	return *ret ? 0 : -ENOMEM;
}

static int write_process(struct pmt_writer *w, const struct profile_process *p, uint32_t index)
{
	Pmt__Cause entries[PROFILE_EVENTS * PROFILE_CAUSES];
	Pmt__Cause *pointers[PROFILE_EVENTS * PROFILE_CAUSES];
	_cleanup_free_ char *command = NULL;
	Pmt__Process m = PMT__PROCESS__INIT;
	int err = cut(p->command, &command);

	if (err)
		return err;
	m.index = index;
	m.pid = (uint32_t)p->pid;
	m.command = command ? command : p->command;
	m.python = p->python;
	m.rss_before = (uint64_t)p->rss_before;
	m.rss_after = (uint64_t)p->rss_after;
	m.ended = p->ended;
	m.n_cause = fill_causes(entries, p);
	m.cause = pointers;
	for (size_t i = 0; i < m.n_cause; i++)
		pointers[i] = &entries[i];
	return pmt_write_changed(w, PMT_PROCESS, &m.base, &w->processes[index]);
}

int pmt_write_processes(struct pmt_writer *w, const struct profile *p)
{
	int err;

	if (p->nr_processes > PMT_MAX_PROCESSES)
		return -E2BIG;
	err = grow((void **)&w->processes, p->nr_processes, &w->size_processes,
		   sizeof(*w->processes));
	for (uint32_t i = 0; i < p->nr_processes && !err; i++) {
		err = write_process(w, &p->processes[i], i);
		w->nr_processes = max(w->nr_processes, i + 1);
	}
	return err;
}

static bool same_row(const struct profile_row *a, const struct profile_row *b)
{
	return a->change.events == b->change.events && a->change.growth == b->change.growth &&
	       a->change.shrink == b->change.shrink && a->last_ns == b->last_ns &&
	       a->first_ns == b->first_ns;
}

/* Columns of a frame of rows. */
struct columns {
	uint32_t index[BATCH], stack[BATCH], thread[BATCH], event[BATCH], memory[BATCH];
	uint64_t growth[BATCH], shrink[BATCH], events[BATCH];
	int64_t first_ns[BATCH], last_ns[BATCH];
};

static int write_columns(struct pmt_writer *w, struct columns *c, size_t nr, int64_t base_ns)
{
	Pmt__Rows m = PMT__ROWS__INIT;

	_Static_assert(BATCH * (5 * MAX_VARINT_32 + 5 * MAX_VARINT_64) < PMT_MAX_PAYLOAD,
		       "a frame of rows");
	if (!nr)
		return 0;
	m.base_ns = base_ns;
	m.n_index = m.n_stack = m.n_thread = m.n_event = nr;
	m.n_growth = m.n_shrink = m.n_events = m.n_first_ns = m.n_last_ns = nr;
	m.index = c->index;
	m.stack = c->stack;
	m.thread = c->thread;
	m.event = c->event;
	m.memory = c->memory;
	for (size_t i = 0; i < nr && !m.n_memory; i++)
		m.n_memory = c->memory[i] ? nr : 0;
	m.growth = c->growth;
	m.shrink = c->shrink;
	m.events = c->events;
	m.first_ns = c->first_ns;
	m.last_ns = c->last_ns;
	return pmt_write_message(w, PMT_ROWS, &m.base);
}

int pmt_write_rows(struct pmt_writer *w, const struct profile *p)
{
	struct columns c;
	size_t n = 0;
	int err = grow((void **)&w->rows, p->nr_rows, &w->size_rows, sizeof(*w->rows));

	for (uint32_t i = 0; i < p->nr_rows && !err; i++) {
		const struct profile_row *r = &p->rows[i];

		if (i < w->nr_rows && same_row(r, &w->rows[i]))
			continue;
		w->rows[i] = *r;
		c.index[n] = i;
		c.stack[n] = r->stack;
		c.thread[n] = r->thread;
		c.event[n] = r->event;
		c.memory[n] = r->memory;
		c.growth[n] = (uint64_t)r->change.growth;
		c.shrink[n] = (uint64_t)r->change.shrink;
		c.events[n] = r->change.events;
		c.first_ns[n] = r->first_ns - p->begin_ns;
		c.last_ns[n] = r->last_ns - p->begin_ns;
		if (++n == BATCH) {
			err = write_columns(w, &c, n, p->begin_ns);
			n = 0;
		}
	}
	if (!err)
		err = write_columns(w, &c, n, p->begin_ns);
	w->nr_rows = p->nr_rows;
	return err;
}

static bool same_arena(const struct profile_arena *a, const struct profile_arena *b)
{
	return a->pid == b->pid && a->address == b->address && a->bytes == b->bytes &&
	       a->used_bytes == b->used_bytes && a->pools == b->pools &&
	       a->free_pools == b->free_pools && a->stack == b->stack && a->thread == b->thread &&
	       a->opened_ns == b->opened_ns;
}

static void fill_arena(Pmt__Arena *m, const struct profile_arena *a, uint32_t index)
{
	pmt__arena__init(m);
	m->index = index;
	m->pid = (uint32_t)a->pid;
	m->address = a->address;
	m->bytes = a->bytes;
	m->used_bytes = a->used_bytes;
	m->pools = a->pools;
	m->free_pools = a->free_pools;
	m->stack_plus_1 = a->stack == PROFILE_NONE ? 0 : a->stack + 1;
	m->thread_plus_1 = a->thread == PROFILE_NONE ? 0 : a->thread + 1;
	m->opened_ns = a->opened_ns;
}

int pmt_write_arenas(struct pmt_writer *w, const struct profile *p)
{
	bool fewer = p->nr_arenas < w->nr_arenas;
	uint32_t i = 0;
	int err = grow((void **)&w->arenas, p->nr_arenas, &w->size_arenas, sizeof(*w->arenas));

	if (err)
		return err;
	do {
		Pmt__Arena entries[BATCH], *pointers[BATCH];
		Pmt__Arenas m = PMT__ARENAS__INIT;

		m.total = p->nr_arenas;
		m.arena = pointers;
		for (; i < p->nr_arenas && m.n_arena < BATCH; i++) {
			if (i < w->nr_arenas && same_arena(&p->arenas[i], &w->arenas[i]))
				continue;
			w->arenas[i] = p->arenas[i];
			fill_arena(&entries[m.n_arena], &p->arenas[i], i);
			pointers[m.n_arena] = &entries[m.n_arena];
			m.n_arena++;
		}
		if (m.n_arena || fewer)
			err = pmt_write_message(w, PMT_ARENAS, &m.base);
		fewer = false;
	} while (i < p->nr_arenas && !err);
	w->nr_arenas = p->nr_arenas;
	return err;
}
