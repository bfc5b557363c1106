/* SPDX-License-Identifier: MIT */
/*
 * Made-up profiles. The first, in KiB, of one process whose RSS went from 100 to 160 MiB:
 *
 *	                                      main thread 4242        thread 4243 (worker)
 *	<module> main load                    +20480                  +4096
 *	<module> main load parse              +40960 −10240
 *	<module> main load parse parse parse  +1024                   (recursion)
 *	<module> main drop                    −6144
 *	<module> main load <native: libx.so>  +2048
 *	... load parse                        +512                    (truncated)
 *	[no Python thread]                    +8192 −1024
 *	[by another task]                     −2048
 *	[unexplained]                         +3584 by profile_balance()
 *
 * so 52736 are attributed to stacks and 8704 not: 61440 KiB, 60 MiB. Of arenas: parse +2048, load
 * −1024.
 */
#ifndef PMT_TESTS_PROFILE_FIXTURE_H
#define PMT_TESTS_PROFILE_FIXTURE_H

#include "fixture.h"

#include "model/profile.h"

#define KIB(x)	 ((int64_t)(x)*1024)
#define FIX_NOON 1700049600000000000 /* 2023-11-15 12:00:00 UTC */

enum { FIX_MODULE, FIX_MAIN, FIX_LOAD, FIX_PARSE, FIX_DROP, FIX_NATIVE };

static inline uint32_t fix_function(struct profile *p, enum profile_function_kind kind,
				    const char *name, const char *file, int32_t line)
{
	struct profile_function f = {
		.kind = kind, .name = (char *)name, .file = (char *)file, .first_line = line};
	uint32_t at;

	assert_int_equal(profile_add_function(p, &f, &at), 0);
	return at;
}

static inline uint32_t fix_thread(struct profile *p, pid_t pid, pid_t tid, const char *comm)
{
	struct profile_thread t = {.pid = pid, .tid = tid};
	uint32_t at;

	memcpy(t.comm, comm, strnlen(comm, sizeof(t.comm) - 1));
	assert_int_equal(profile_add_thread(p, &t, &at), 0);
	return at;
}

static inline uint32_t fix_stack(struct profile *p, bool truncated,
				 const struct profile_frame *frames, uint32_t nr)
{
	uint32_t at;

	assert_int_equal(profile_add_stack(p, frames, nr, truncated, &at), 0);
	return at;
}

/* The frames of a stack, the leaf first: {function, line}, ... */
#define FIX_STACK(p, truncated, ...)                                   \
	fix_stack(p, truncated, (struct profile_frame[]){__VA_ARGS__}, \
		  sizeof((struct profile_frame[]){__VA_ARGS__}) / sizeof(struct profile_frame))

static inline void fix_row(struct profile *p, enum profile_event e, uint32_t stack, uint32_t thread,
			   int64_t growth, int64_t shrink, uint64_t events)
{
	struct profile_row r = {.stack = stack,
				.thread = thread,
				.event = e,
				.change = {growth, shrink, events},
				.first_ns = FIX_NOON,
				.last_ns = FIX_NOON + 1000000000};

	assert_int_equal(profile_add_row(p, &r), 0);
}

static inline struct profile_process *fix_process(struct profile *p, pid_t pid, const char *command,
						  int64_t before, int64_t after)
{
	struct profile_process *of;

	assert_int_equal(profile_add_process(p, pid, &of), 0);
	free(of->command);
	free(of->python);
	of->command = strdup(command);
	of->python = strdup("CPython 3.12.1");
	of->rss_before = before;
	of->rss_after = after;
	return of;
}

/* No process, no function, one minute. */
static inline struct profile *fix_empty(void)
{
	struct profile *p = profile_new();

	assert_non_null(p);
	p->begin_ns = FIX_NOON;
	p->end_ns = FIX_NOON + 60000000000;
	p->exact = true;
	p->events = 1u << PROFILE_RSS;
	free(p->host);
	free(p->program);
	p->host = strdup("Linux 6.18.44 x86_64, web1");
	p->program = strdup("pymemtrace-bpf 0.1.0");
	return p;
}

static inline void fix_functions(struct profile *p)
{
	fix_function(p, PROFILE_PYTHON, "<module>", "/srv/app/app.py", 1);
	fix_function(p, PROFILE_PYTHON, "main", "/srv/app/app.py", 210);
	fix_function(p, PROFILE_PYTHON, "Loader.load", "/srv/app/load.py", 40);
	fix_function(p, PROFILE_PYTHON, "parse", "/srv/app/load.py", 80);
	fix_function(p, PROFILE_PYTHON, "drop", "/srv/app/app.py", 300);
	fix_function(p, PROFILE_NATIVE, "libx.so", "/usr/lib/libx.so", 0);
}

#define FIX_ROOT                \
	{FIX_MAIN, 215},        \
	{                       \
		FIX_MODULE, 400 \
	}

static inline struct profile *fix_profile(void)
{
	struct profile *p = fix_empty();
	struct profile_process *of =
		fix_process(p, 4242, "python3 app.py", KIB(102400), KIB(163840));
	uint32_t main = fix_thread(p, 4242, 4242, "python3");
	uint32_t worker = fix_thread(p, 4242, 4243, "worker");
	uint32_t load, parse, deep, drop, native, cut;

	fix_functions(p);
	load = FIX_STACK(p, false, {FIX_LOAD, 47}, FIX_ROOT);
	parse = FIX_STACK(p, false, {FIX_PARSE, 85}, {FIX_LOAD, 48}, FIX_ROOT);
	deep = FIX_STACK(p, false, {FIX_PARSE, 90}, {FIX_PARSE, 91}, {FIX_PARSE, 91},
			 {FIX_LOAD, 48}, FIX_ROOT);
	drop = FIX_STACK(p, false, {FIX_DROP, 301}, {FIX_MAIN, 220}, {FIX_MODULE, 400});
	native = FIX_STACK(p, false, {FIX_NATIVE, 0}, {FIX_LOAD, 50}, FIX_ROOT);
	cut = FIX_STACK(p, true, {FIX_PARSE, 85}, {FIX_LOAD, 48});
	fix_row(p, PROFILE_RSS, load, main, KIB(20480), 0, 20);
	fix_row(p, PROFILE_RSS, load, worker, KIB(4096), 0, 4);
	fix_row(p, PROFILE_RSS, parse, main, KIB(40960), KIB(10240), 50);
	fix_row(p, PROFILE_RSS, deep, main, KIB(1024), 0, 1);
	fix_row(p, PROFILE_RSS, drop, main, 0, KIB(6144), 6);
	fix_row(p, PROFILE_RSS, native, main, KIB(2048), 0, 2);
	fix_row(p, PROFILE_RSS, cut, main, KIB(512), 0, 1);
	of->causes[PROFILE_RSS][PROFILE_NO_THREAD] =
		(struct profile_change){KIB(8192), KIB(1024), 9};
	of->causes[PROFILE_RSS][PROFILE_OTHER_TASK] = (struct profile_change){0, KIB(2048), 2};
	p->events |= 1u << PROFILE_ARENA;
	fix_row(p, PROFILE_ARENA, parse, main, KIB(2048), 0, 2);
	fix_row(p, PROFILE_ARENA, load, main, 0, KIB(1024), 1);
	profile_balance(p);
	return p;
}

/* A second process, of which one stack and one cause are known; names try to break formats. */
static inline void fix_second_process(struct profile *p)
{
	struct profile_process *of =
		fix_process(p, 4300, "worker \x1b[31m\"x\";y", KIB(1024), KIB(4096));
	uint32_t thread = fix_thread(p, 4300, 4300, "w\n;\x1b");
	uint32_t f = fix_function(p, PROFILE_PYTHON, "evil;\"<&>\n\x1b]0;\\ \u00fc\u202e",
				  "/tmp/a;b\n\"c.py", 7);

	fix_row(p, PROFILE_RSS, FIX_STACK(p, false, {f, 9}), thread, KIB(2048), 0, 2);
	of->causes[PROFILE_RSS][PROFILE_WALK_FAILED] = (struct profile_change){KIB(1024), 0, 1};
	profile_balance(p);
}

#endif
