/* SPDX-License-Identifier: MIT */
/*
 * A small made-up profile in which every field says something: two processes, threads, native and
 * unnamed functions, names that try to break terminals and formats, each event, causes, arenas.
 * profile_fixture_grow() goes on recording in it.
 */
#ifndef PMT_TESTS_PMT_FIXTURE_H
#define PMT_TESTS_PMT_FIXTURE_H

#include "base/cleanup.h"
#include "model/profile.h"

#include <stdlib.h>
#include <string.h>

#define FIXTURE_BEGIN INT64_C(1700000000000000000)
#define SECOND	      INT64_C(1000000000)

static inline void fixture_check(int err)
{
	if (err)
		abort();
}

static inline uint32_t fixture_function(struct profile *p, enum profile_function_kind kind,
					const char *name, const char *file, int32_t line)
{
	struct profile_function f = {kind, (char *)name, (char *)file, line};
	uint32_t at;

	fixture_check(profile_add_function(p, &f, &at));
	return at;
}

static inline uint32_t fixture_thread(struct profile *p, pid_t pid, pid_t tid, const char *comm)
{
	struct profile_thread t = {.pid = pid, .tid = tid};
	uint32_t at;

	strncpy(t.comm, comm, sizeof(t.comm) - 1);
	fixture_check(profile_add_thread(p, &t, &at));
	return at;
}

static inline void fixture_process(struct profile *p, pid_t pid, const char *command,
				   const char *python)
{
	struct profile_process *new;

	fixture_check(profile_add_process(p, pid, &new));
	free(new->command);
	free(new->python);
	new->command = strdup(command);
	new->python = strdup(python);
}

static inline void fixture_row(struct profile *p, uint32_t stack, uint32_t thread,
			       enum profile_event event, int64_t growth, int64_t shrink, int second)
{
	struct profile_row r = {.stack = stack,
				.thread = thread,
				.event = event,
				.change = {growth, shrink, 3},
				.first_ns = FIXTURE_BEGIN + second * SECOND,
				.last_ns = FIXTURE_BEGIN + second * SECOND + 123456789};

	fixture_check(profile_add_row(p, &r));
}

static inline void fixture_arena(struct profile *p, uint64_t address, uint64_t used_bytes,
				 uint32_t used_pools, uint32_t stack)
{
	struct profile_arena a = {
		.pid = 4242,
		.address = address,
		.bytes = 1 << 20,
		.used_bytes = used_bytes,
		.pools = 64,
		.free_pools = 64 - used_pools,
		.stack = stack,
		.thread = stack == PROFILE_NONE ? PROFILE_NONE : 0,
		.opened_ns = stack == PROFILE_NONE ? 0 : FIXTURE_BEGIN + SECOND,
	};

	fixture_check(profile_add_arena(p, &a));
}

/*
 * handle -> parse -> [native]           main thread, grows most
 * handle -> <lambda>                    worker
 * ... -> parse -> parse -> parse -> ?   truncated
 */
static inline struct profile *profile_fixture(void)
{
	struct profile *p = profile_new();
	struct profile_frame frames[PROFILE_MAX_FRAMES];
	uint32_t handle, parse, lambda, native, unnamed, stack, main_thread, worker, child;

	if (!p)
		abort();
	free(p->host);
	free(p->program);
	p->host = strdup("Linux 6.12.1 x86_64, db-3");
	p->program = strdup("pymemtrace-bpf 0.1.0");
	p->begin_ns = FIXTURE_BEGIN;
	p->end_ns = FIXTURE_BEGIN + 10 * SECOND;
	p->step_pages = 32;
	p->batched = true;
	p->events = 1u << PROFILE_RSS | 1u << PROFILE_ARENA;
	p->names_lost = 2;
	p->lines_lost = 1;

	handle = fixture_function(p, PROFILE_PYTHON, "Server.handle", "/srv/app/server.py", 10);
	parse = fixture_function(p, PROFILE_PYTHON, "parse;<b>&\"'\x1b[31m", "/srv/a b/\xc3\xbc.py",
				 200);
	lambda = fixture_function(p, PROFILE_PYTHON, "<lambda>", "<string>", 1);
	native = fixture_function(p, PROFILE_NATIVE, "libnumpy.so", "", 0);
	unnamed = fixture_function(p, PROFILE_UNNAMED, "", "", 0);
	fixture_process(p, 4242, "/usr/bin/python3 app.py --name \"a b\"", "CPython 3.12.1");
	fixture_process(p, 4300, "python3 worker.py", "");
	main_thread = fixture_thread(p, 4242, 4242, "python3");
	worker = fixture_thread(p, 4242, 4243, "worker \xff\n");
	child = fixture_thread(p, 4300, 4300, "python3");

	frames[0] = (struct profile_frame){native, 0};
	frames[1] = (struct profile_frame){parse, 215};
	frames[2] = (struct profile_frame){handle, 12};
	fixture_check(profile_add_stack(p, frames, 3, false, &stack));
	fixture_row(p, stack, main_thread, PROFILE_RSS, 48 << 20, 1 << 20, 1);
	fixture_row(p, stack, main_thread, PROFILE_ARENA, 12 << 20, 0, 1);
	fixture_row(p, stack, child, PROFILE_RSS, 3 << 20, 0, 2);

	frames[0] = (struct profile_frame){lambda, 1};
	frames[1] = (struct profile_frame){handle, 14};
	fixture_check(profile_add_stack(p, frames, 2, false, &stack));
	fixture_row(p, stack, worker, PROFILE_RSS, 4096, 8 << 20, 3);

	for (int i = 0; i < 4; i++)
		frames[i] = (struct profile_frame){i ? parse : unnamed, i ? 220 : 0};
	fixture_check(profile_add_stack(p, frames, 4, true, &stack));
	fixture_row(p, stack, main_thread, PROFILE_RSS, 128 << 10, 0, 4);

	p->processes[0].rss_before = 100 << 20;
	p->processes[0].rss_after = (141 << 20) + (212 << 10); /* of it 4 KiB unexplained */
	p->processes[0].causes[PROFILE_RSS][PROFILE_NO_THREAD] =
		(struct profile_change){2 << 20, 4096, 7};
	p->processes[0].causes[PROFILE_RSS][PROFILE_REMAINDER] =
		(struct profile_change){81920, 0, 0};
	p->processes[0].causes[PROFILE_ARENA][PROFILE_WALK_FAILED] =
		(struct profile_change){1 << 20, 0, 1};
	p->processes[1].rss_before = 20 << 20;
	p->processes[1].rss_after = 22 << 20;
	p->processes[1].ended = true;
	p->processes[1].causes[PROFILE_RSS][PROFILE_OTHER_TASK] =
		(struct profile_change){0, 1 << 20, 4};
	profile_balance(p);
	fixture_arena(p, 0x7f1200000000, 900000, 61, 0);
	fixture_arena(p, 0x7f1200100000, 4096, 2, PROFILE_NONE);
	fixture_arena(p, 0x7f1200200000, 65536, 5, 1);
	return p;
}

/* step 1, 2, ...: a row grows, a new function, stack and row appear, one arena goes. */
static inline void profile_fixture_grow(struct profile *p, int step)
{
	struct profile_frame frames[2];
	char name[32];
	uint32_t stack;

	snprintf(name, sizeof(name), "step_%d", step);
	frames[0] = (struct profile_frame){
		fixture_function(p, PROFILE_PYTHON, name, "/srv/app/steps.py", step), step + 1};
	frames[1] = (struct profile_frame){0, 16};
	fixture_check(profile_add_stack(p, frames, 2, false, &stack));
	fixture_row(p, stack, 0, PROFILE_RSS, 1 << 20, 0, 10 + step);
	fixture_row(p, 0, 0, PROFILE_RSS, 2 << 20, 4096, 10 + step);
	p->processes[0].rss_after += (3 << 20) - 4096;
	if (p->nr_arenas)
		p->nr_arenas--;
	p->end_ns += SECOND;
	profile_balance(p);
}

static inline bool profile_change_equal(const struct profile_change *a,
					const struct profile_change *b)
{
	return a->growth == b->growth && a->shrink == b->shrink && a->events == b->events;
}

static inline bool profile_tables_equal(const struct profile *a, const struct profile *b)
{
	for (uint32_t i = 0; i < a->nr_functions; i++) {
		const struct profile_function *x = &a->functions[i], *y = &b->functions[i];

		if (x->kind != y->kind || strcmp(x->name, y->name) != 0 ||
		    strcmp(x->file, y->file) != 0 || x->first_line != y->first_line)
			return false;
	}
	for (uint32_t i = 0; i < a->nr_stacks; i++) {
		const struct profile_stack *x = &a->stacks[i], *y = &b->stacks[i];

		if (x->nr != y->nr || x->truncated != y->truncated ||
		    memcmp(x->frames, y->frames, x->nr * sizeof(*x->frames)) != 0)
			return false;
	}
	for (uint32_t i = 0; i < a->nr_threads; i++) {
		const struct profile_thread *x = &a->threads[i], *y = &b->threads[i];

		if (x->pid != y->pid || x->tid != y->tid || strcmp(x->comm, y->comm) != 0)
			return false;
	}
	return true;
}

static inline bool profile_processes_equal(const struct profile *a, const struct profile *b)
{
	for (uint32_t i = 0; i < a->nr_processes; i++) {
		const struct profile_process *x = &a->processes[i], *y = &b->processes[i];

		if (x->pid != y->pid || strcmp(x->command, y->command) != 0 ||
		    strcmp(x->python, y->python) != 0 || x->rss_before != y->rss_before ||
		    x->rss_after != y->rss_after || x->ended != y->ended)
			return false;
		for (int e = 0; e < PROFILE_EVENTS; e++)
			for (int c = 0; c < PROFILE_CAUSES; c++)
				if (!profile_change_equal(&x->causes[e][c], &y->causes[e][c]))
					return false;
	}
	return true;
}

static inline bool profile_figures_equal(const struct profile *a, const struct profile *b)
{
	for (uint32_t i = 0; i < a->nr_rows; i++) {
		const struct profile_row *x = &a->rows[i], *y = &b->rows[i];

		if (x->stack != y->stack || x->thread != y->thread || x->event != y->event ||
		    x->memory != y->memory || !profile_change_equal(&x->change, &y->change) ||
		    x->first_ns != y->first_ns || x->last_ns != y->last_ns)
			return false;
	}
	for (uint32_t i = 0; i < a->nr_arenas; i++) {
		const struct profile_arena *x = &a->arenas[i], *y = &b->arenas[i];

		if (x->pid != y->pid || x->address != y->address || x->bytes != y->bytes ||
		    x->used_bytes != y->used_bytes || x->pools != y->pools ||
		    x->free_pools != y->free_pools || x->stack != y->stack ||
		    x->thread != y->thread || x->opened_ns != y->opened_ns)
			return false;
	}
	return true;
}

/* In everything but cut_short. */
static inline bool profile_equal(const struct profile *a, const struct profile *b)
{
	return a->begin_ns == b->begin_ns && a->end_ns == b->end_ns && a->exact == b->exact &&
	       a->batched == b->batched && a->step_pages == b->step_pages &&
	       a->page_bytes == b->page_bytes && a->events == b->events &&
	       strcmp(a->host, b->host) == 0 && strcmp(a->program, b->program) == 0 &&
	       a->names_lost == b->names_lost && a->lines_lost == b->lines_lost &&
	       a->nr_functions == b->nr_functions && a->nr_stacks == b->nr_stacks &&
	       a->nr_threads == b->nr_threads && a->nr_processes == b->nr_processes &&
	       a->nr_rows == b->nr_rows && a->nr_arenas == b->nr_arenas &&
	       profile_tables_equal(a, b) && profile_processes_equal(a, b) &&
	       profile_figures_equal(a, b);
}

#endif
