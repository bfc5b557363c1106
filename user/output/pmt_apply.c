/* SPDX-License-Identifier: MIT */
/*
 * What the frames of a recording say, into a profile. Every number is checked before it is used: an
 * index names what there is by now or, of its own kind, the next; amounts and times are in ranges in
 * which sums and differences cannot overflow.
 */
#include "output/pmt_internal.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

/* Times: nanoseconds since 1970, until 2116. */
#define MAX_TIME (INT64_C(1) << 62)

/* What profile_add_*() returned: an index that exists is checked before, so the rest is size. */
static int added(struct pmt_builder *b, int err, const char *what)
{
	return err == -EINVAL || err == -E2BIG ? pmt_bad(b, what) : err;
}

static bool is_pid(uint32_t pid)
{
	return pid && pid <= INT32_MAX;
}

static bool is_time(int64_t ns)
{
	return ns >= 0 && ns < MAX_TIME;
}

/* The string becomes the profile's, as valid UTF-8. */
static void take(char **to, char **from)
{
	if (!**from) {
		**to = 0; /* all empty strings are one of protobuf-c's own: not to be taken */
		return;
	}
	free(*to);
	*to = steal_ptr(*from);
	text_repair_utf8(*to);
}

static int apply_head(struct pmt_builder *b, Pmt__Head *m)
{
	struct profile *p = b->p;
	const uint32_t events = (1u << PROFILE_EVENTS) - 1;

	if (!is_time(m->begin_ns))
		return pmt_bad(b, "its beginning is no time");
	if (!m->page_bytes || m->page_bytes > 1u << 30 || !m->step_pages ||
	    m->step_pages > 1u << 20)
		return pmt_bad(b, "its pages or steps have no size");
	p->begin_ns = m->begin_ns;
	p->end_ns = max(p->end_ns, m->begin_ns);
	p->exact = m->exact;
	p->batched = m->batched;
	p->step_pages = m->step_pages;
	p->page_bytes = m->page_bytes;
	p->events = m->events & events;
	take(&p->host, &m->host);
	take(&p->program, &m->program);
	return 0;
}

static int apply_functions(struct pmt_builder *b, Pmt__Functions *m)
{
	for (size_t i = 0; i < m->n_function; i++) {
		Pmt__Function *from = m->function[i];
		struct profile_function f = {
			.kind = from->kind <= PROFILE_UNNAMED ? from->kind : PROFILE_PYTHON,
			.name = from->name,
			.file = from->file,
			.first_line = from->first_line,
		};
		uint32_t index, next = b->p->nr_functions;
		int err;

		text_repair_utf8(f.name);
		text_repair_utf8(f.file);
		err = profile_add_function(b->p, &f, &index);
		if (err)
			return added(b, err, "too many functions");
		if (index != next)
			return pmt_bad(b, "a function comes twice");
	}
	return 0;
}

static int apply_stack(struct pmt_builder *b, const Pmt__Stacks *m, size_t at, uint32_t nr,
		       bool truncated)
{
	struct profile_frame frames[PROFILE_MAX_FRAMES];
	uint32_t index, next = b->p->nr_stacks;
	int err;

	for (uint32_t i = 0; i < nr; i++) {
		frames[i] = (struct profile_frame){m->function[at + i], m->line[at + i]};
		if (frames[i].function >= b->p->nr_functions)
			return pmt_bad(b, "a stack has a function that there is not");
	}
	err = profile_add_stack(b->p, frames, nr, truncated, &index);
	if (err)
		return added(b, err, "too many stacks");
	return index == next ? 0 : pmt_bad(b, "a stack comes twice");
}

static int apply_stacks(struct pmt_builder *b, Pmt__Stacks *m)
{
	size_t at = 0;
	int err = 0;

	if (m->n_truncated != m->n_nr_frames || m->n_line != m->n_function)
		return pmt_bad(b, "columns of stacks differ in length");
	for (size_t i = 0; i < m->n_nr_frames && !err; i++) {
		uint32_t nr = m->nr_frames[i];

		if (!nr || nr > PROFILE_MAX_FRAMES || nr > m->n_function - at)
			return pmt_bad(b, "a stack has no frames, too many, or fewer than it says");
		err = apply_stack(b, m, at, nr, m->truncated[i]);
		at += nr;
	}
	if (!err && at != m->n_function)
		return pmt_bad(b, "frames belong to no stack");
	return err;
}

static int apply_threads(struct pmt_builder *b, Pmt__Threads *m)
{
	for (size_t i = 0; i < m->n_thread; i++) {
		Pmt__Thread *from = m->thread[i];
		struct profile_thread t = {.pid = (pid_t)from->pid, .tid = (pid_t)from->tid};
		uint32_t index, next = b->p->nr_threads;
		int err;

		if (!is_pid(from->pid) || !is_pid(from->tid))
			return pmt_bad(b, "a thread has no PID");
		if (from->comm.len)
			memcpy(t.comm, from->comm.data, min(from->comm.len, sizeof(t.comm) - 1));
		err = profile_add_thread(b->p, &t, &index);
		if (err)
			return added(b, err, "too many threads");
		if (index != next)
			return pmt_bad(b, "a thread comes twice");
	}
	return 0;
}

static bool is_change(uint64_t growth, uint64_t shrink, uint64_t events)
{
	return growth <= PMT_MAX_FIGURE && shrink <= PMT_MAX_FIGURE && events <= PMT_MAX_FIGURE;
}

/* An event or a cause of a newer program is left out; what it tells becomes unexplained. */
static int apply_causes(struct pmt_builder *b, const Pmt__Process *m, struct profile_process *p)
{
	memset(p->causes, 0, sizeof(p->causes));
	for (size_t i = 0; i < m->n_cause; i++) {
		const Pmt__Cause *c = m->cause[i];

		if (!is_change(c->growth, c->shrink, c->events))
			return pmt_bad(b, "a cause has impossible figures");
		if (c->event < PROFILE_EVENTS && c->cause < PROFILE_CAUSES)
			p->causes[c->event][c->cause] = (struct profile_change){
				(int64_t)c->growth, (int64_t)c->shrink, c->events};
	}
	return 0;
}

static int apply_process(struct pmt_builder *b, Pmt__Process *m)
{
	uint32_t next = b->p->nr_processes;
	struct profile_process *p;
	int err;

	if (!is_pid(m->pid))
		return pmt_bad(b, "a process has no PID");
	if (m->rss_before > PMT_MAX_FIGURE || m->rss_after > PMT_MAX_FIGURE)
		return pmt_bad(b, "a process is impossibly large");
	if (m->index > next || m->index >= PMT_MAX_PROCESSES)
		return pmt_bad(b, "a process is out of order");
	if (m->index == next) {
		err = profile_add_process(b->p, (pid_t)m->pid, &p);
		if (err)
			return added(b, err, "too many processes");
		if (b->p->nr_processes == next)
			return pmt_bad(b, "a process comes twice");
	}
	p = &b->p->processes[m->index];
	if (p->pid != (pid_t)m->pid)
		return pmt_bad(b, "a process changes its PID");
	p->rss_before = (int64_t)m->rss_before;
	p->rss_after = (int64_t)m->rss_after;
	p->ended = m->ended;
	take(&p->command, &m->command);
	take(&p->python, &m->python);
	return apply_causes(b, m, p);
}

/* Room for the row of the next index. */
static int grow_rows(struct pmt_builder *b)
{
	uint32_t wanted = b->size_rows ? b->size_rows * 2 : 256;
	uint32_t *more;

	if (b->nr_rows < b->size_rows)
		return 0;
	if (b->nr_rows >= PROFILE_MAX_ENTRIES)
		return pmt_bad(b, "too many rows");
	more = reallocarray(b->rows, wanted, sizeof(*more));
	if (!more)
		return -ENOMEM;
	b->rows = more;
	b->size_rows = wanted;
	return 0;
}

/* A row of an event, or a kind of memory, that a newer program knows has an index, and is no row here. */
static int add_row(struct pmt_builder *b, const struct profile_row *row)
{
	uint32_t next = b->p->nr_rows;
	int err = grow_rows(b);

	if (err)
		return err;
	if ((uint32_t)row->event >= PROFILE_EVENTS || (uint32_t)row->memory >= PROFILE_MEMORIES)
		next = PROFILE_NONE;
	b->rows[b->nr_rows++] = next;
	if (next == PROFILE_NONE)
		return 0;
	err = profile_add_row(b->p, row);
	if (err)
		return added(b, err, "a row has a stack or thread that there is not");
	return b->p->nr_rows > next ? 0 : pmt_bad(b, "a row comes twice");
}

static int apply_row(struct pmt_builder *b, uint32_t index, const struct profile_row *row)
{
	struct profile_row *at;

	if (index > b->nr_rows)
		return pmt_bad(b, "a row is out of order");
	if (index == b->nr_rows)
		return add_row(b, row);
	if (b->rows[index] == PROFILE_NONE)
		return 0;
	at = &b->p->rows[b->rows[index]];
	if (at->stack != row->stack || at->thread != row->thread || at->event != row->event ||
	    at->memory != row->memory)
		return pmt_bad(b, "a row changes what it is of");
	*at = *row;
	return 0;
}

static int apply_rows(struct pmt_builder *b, Pmt__Rows *m)
{
	const size_t n = m->n_index;
	int err = 0;

	if (m->n_stack != n || m->n_thread != n || m->n_event != n || m->n_growth != n ||
	    m->n_shrink != n || m->n_events != n || m->n_first_ns != n || m->n_last_ns != n ||
	    (m->n_memory && m->n_memory != n))
		return pmt_bad(b, "columns of rows differ in length");
	if (!is_time(m->base_ns))
		return pmt_bad(b, "a row has no time");
	for (size_t i = 0; i < n && !err; i++) {
		struct profile_row row = {.stack = m->stack[i],
					  .thread = m->thread[i],
					  .event = m->event[i],
					  .memory = m->n_memory ? m->memory[i] : 0,
					  .change = {.events = m->events[i]}};

		/* one of them can be before the beginning: a clock that was set back */
		if (m->first_ns[i] <= -MAX_TIME || m->first_ns[i] >= MAX_TIME ||
		    m->last_ns[i] <= -MAX_TIME || m->last_ns[i] >= MAX_TIME)
			return pmt_bad(b, "a row has no time");
		if (!is_change(m->growth[i], m->shrink[i], m->events[i]))
			return pmt_bad(b, "a row has impossible figures");
		row.change.growth = (int64_t)m->growth[i];
		row.change.shrink = (int64_t)m->shrink[i];
		row.first_ns = max(m->base_ns + m->first_ns[i], (int64_t)0);
		row.last_ns = max(m->base_ns + m->last_ns[i], row.first_ns);
		err = apply_row(b, m->index[i], &row);
	}
	return err;
}

/* What is only impossible, not harmful, is made possible: a reading may have been torn. */
static int load_arena(struct pmt_builder *b, const Pmt__Arena *m, struct profile_arena *ret)
{
	if (!is_pid(m->pid) || m->bytes > PMT_MAX_FIGURE || !is_time(m->opened_ns))
		return pmt_bad(b, "an arena has impossible figures");
	if (m->stack_plus_1 > b->p->nr_stacks || m->thread_plus_1 > b->p->nr_threads)
		return pmt_bad(b, "an arena has a stack or thread that there is not");
	*ret = (struct profile_arena){
		.pid = (pid_t)m->pid,
		.address = m->address,
		.bytes = m->bytes,
		.used_bytes = min(m->used_bytes, m->bytes),
		.pools = m->pools,
		.free_pools = min(m->free_pools, m->pools),
		.stack = m->stack_plus_1 ? m->stack_plus_1 - 1 : PROFILE_NONE,
		.thread = m->thread_plus_1 ? m->thread_plus_1 - 1 : PROFILE_NONE,
		.opened_ns = m->opened_ns,
	};
	return 0;
}

static int apply_arenas(struct pmt_builder *b, Pmt__Arenas *m)
{
	struct profile *p = b->p;

	p->nr_arenas = min(p->nr_arenas, m->total);
	for (size_t i = 0; i < m->n_arena; i++) {
		struct profile_arena a;
		int err = load_arena(b, m->arena[i], &a);

		if (err)
			return err;
		if (m->arena[i]->index > p->nr_arenas)
			return pmt_bad(b, "an arena is out of order");
		if (m->arena[i]->index < p->nr_arenas) {
			p->arenas[m->arena[i]->index] = a;
			continue;
		}
		err = profile_add_arena(p, &a);
		if (err)
			return added(b, err, "too many arenas");
	}
	return 0;
}

static int apply_moment(struct pmt_builder *b, Pmt__Moment *m)
{
	if (!is_time(m->end_ns))
		return pmt_bad(b, "its end is no time");
	if (m->names_lost > PMT_MAX_FIGURE || m->lines_lost > PMT_MAX_FIGURE)
		return pmt_bad(b, "it lost impossibly much");
	b->p->end_ns = max(m->end_ns, b->p->begin_ns);
	b->p->names_lost = m->names_lost;
	b->p->lines_lost = m->lines_lost;
	return 0;
}

#define CASE(kind, name, Name)                                                            \
	case kind: {                                                                      \
		Pmt__##Name *m = pmt__##name##__unpack(NULL, len, payload);               \
                                                                                          \
		err = m ? apply_##name(b, m) : pmt_bad(b, "a frame is not what it says"); \
		pmt__##name##__free_unpacked(m, NULL);                                    \
		break;                                                                    \
	}

int pmt_apply(struct pmt_builder *b, uint32_t kind, const uint8_t *payload, size_t len)
{
	int err = 0;

	switch (kind) {
		CASE(PMT_HEAD, head, Head)
		CASE(PMT_FUNCTIONS, functions, Functions)
		CASE(PMT_STACKS, stacks, Stacks)
		CASE(PMT_THREADS, threads, Threads)
		CASE(PMT_PROCESS, process, Process)
		CASE(PMT_ROWS, rows, Rows)
		CASE(PMT_ARENAS, arenas, Arenas)
		CASE(PMT_MOMENT, moment, Moment)
		CASE(PMT_END, moment, Moment)
	default:
		break;
	}
	return err;
}
