/* SPDX-License-Identifier: MIT */
/*
 * Made-up tables of calls. The first, in KiB, of one process whose RSS went from 100 to 120 MiB:
 *
 *	                       self           total  largest  calls  of them
 *	Loader.load  load.py   +8192          +14336   +2048     40
 *	parse        load.py   +7168 −1024     +6144   +1024  12000  3 unwinds, 2 open, 5 resumes
 *	drop         app.py     −512            −512       0      7
 *	main         app.py        0          +13824    none      1  1 open
 *	idle         app.py        0               0    none      0  on the stack already: not shown
 *	"?"                      +64             +64     +64      1
 *	left out               +1024
 *	[no Python frame]      +4096 −256
 *	[unexplained]          +1728 by calls_balance()
 */
#ifndef PMT_TESTS_CALLS_FIXTURE_H
#define PMT_TESTS_CALLS_FIXTURE_H

#include "fixture.h"

#include "model/calls.h"

#define KIB(x)	 ((int64_t)(x)*1024)
#define FIX_NOON 1700049600000000000 /* 2023-11-15 12:00:00 UTC */
#define FIX_PID	 4242

/* Strings may be literals: they are copied. */
#define NO_LARGEST INT64_MIN
#define FIX_CALLS(c, largest_, ...)                                                               \
	assert_int_equal(                                                                         \
		calls_add_function(c, &(struct call_function){.largest = largest_, __VA_ARGS__}), \
		0)

static inline struct call_process *fix_call_process(struct calls *c, pid_t pid, const char *command,
						    int64_t before, int64_t after)
{
	struct call_process *of;

	assert_int_equal(calls_add_process(c, pid, &of), 0);
	free(of->command);
	free(of->python);
	of->command = strdup(command);
	of->python = strdup("CPython 3.12.1");
	of->rss_before = before;
	of->rss_after = after;
	return of;
}

/* No process, no function, half a minute. */
static inline struct calls *fix_no_calls(void)
{
	struct calls *c = calls_new();

	assert_non_null(c);
	free(c->host);
	free(c->program);
	c->host = strdup("Linux 6.18.44 x86_64, web1");
	c->program = strdup("pymemtrace-bpf 0.1.0");
	c->begin_ns = FIX_NOON;
	c->end_ns = FIX_NOON + 30000000000;
	return c;
}

static inline void fix_call_functions(struct calls *c)
{
	FIX_CALLS(c, NO_LARGEST, .pid = FIX_PID, .name = "idle", .file = "/srv/app/app.py",
		  .first_line = 9);
	FIX_CALLS(c, NO_LARGEST, .pid = FIX_PID, .name = "main", .file = "/srv/app/app.py",
		  .first_line = 210, .calls = 1, .open = 1, .total = KIB(13824));
	FIX_CALLS(c, KIB(2048), .pid = FIX_PID, .name = "Loader.load", .file = "/srv/app/load.py",
		  .first_line = 40, .calls = 40, .returns = 40, .growth = KIB(8192),
		  .total = KIB(14336), .arenas = 6, .pools = 380, .self_ns = 640,
		  .total_ns = 2500000000);
	/* by two threads */
	FIX_CALLS(c, KIB(1024), .pid = FIX_PID, .name = "parse", .file = "/srv/app/load.py",
		  .first_line = 80, .calls = 11000, .resumes = 5, .returns = 10990, .yields = 12,
		  .unwinds = 3, .growth = KIB(7000), .shrink = KIB(1000), .total = KIB(6000),
		  .arenas = 1, .pools = 20, .self_ns = 1234567, .total_ns = 1234567);
	FIX_CALLS(c, KIB(-24), .pid = FIX_PID, .name = "parse", .file = "/srv/app/load.py",
		  .first_line = 80, .calls = 1000, .returns = 998, .open = 2, .growth = KIB(168),
		  .shrink = KIB(24), .total = KIB(144));
	FIX_CALLS(c, 0, .pid = FIX_PID, .name = "drop", .file = "/srv/app/app.py",
		  .first_line = 300, .calls = 7, .returns = 7, .shrink = KIB(512),
		  .total = KIB(-512));
	FIX_CALLS(c, KIB(64), .pid = FIX_PID, .name = "", .file = "", .calls = 1, .returns = 1,
		  .growth = KIB(64), .total = KIB(64));
}

static inline struct calls *fix_calls(void)
{
	struct calls *c = fix_no_calls();
	struct call_process *of =
		fix_call_process(c, FIX_PID, "python3 app.py", KIB(102400), KIB(122880));
	const struct call_site sites[] = {
		{.pid = FIX_PID,
		 .name = "RESUME",
		 .instruction = "jnz",
		 .emulated = true,
		 .cost_ns = 640},
		{.pid = FIX_PID,
		 .name = "_PyEval_FrameClearAndPop",
		 .instruction = "push",
		 .emulated = true,
		 .cost_ns = 655},
	};

	of->left_out = (struct profile_change){KIB(1024), 0, 4};
	of->causes[PROFILE_NO_FRAME] = (struct profile_change){KIB(4096), KIB(256), 9};
	fix_call_functions(c);
	for (size_t i = 0; i < ARRAY_SIZE(sites); i++)
		assert_int_equal(calls_add_site(c, &sites[i]), 0);
	c->entries = 12054;
	c->exits_seen = 12051;
	c->cost_ns = 4500000000;
	calls_balance(c);
	return c;
}

/* A second process, whose names try to break formats. */
static inline void fix_second_call_process(struct calls *c)
{
	struct call_process *of =
		fix_call_process(c, 4300, "worker \x1b[31m\"x\";y", KIB(1024), KIB(4096));

	of->causes[PROFILE_OTHER_TASK] = (struct profile_change){KIB(1024), 0, 1};
	FIX_CALLS(c, NO_LARGEST, .pid = 4300, .name = "evil;\"<&>\n\x1b]0;\\ \u00fc\u202e",
		  .file = "/tmp/a;b\n\"c.py", .first_line = 7, .calls = 2, .growth = KIB(2048));
	calls_balance(c);
}

#endif
