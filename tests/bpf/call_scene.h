/* SPDX-License-Identifier: MIT */
/*
 * One session that watches the calls of one child (fake_calls.h), and what it says of them: figures by
 * function, which add up to the change of RSS in every look.
 */
#ifndef PMT_TESTS_CALL_SCENE_H
#define PMT_TESTS_CALL_SCENE_H

#include "bpf_test.h"

#include "fake_calls.h"

#define MAX_CALL_IDS  4096
#define MAX_CALL_ROWS 2048
#define NO_PAGES      INT64_MIN /* largest: no call has ended */

struct call_scene {
	struct trace *t;
	struct child child;
	uint32_t tgid, fork_tgid; /* rows are theirs */
	uint64_t before[PMT_CALL_COUNTS];
	unsigned int fn_of[MAX_CALL_IDS]; /* by a code object's number */
	unsigned int nr_codes;
	/* by the newest look */
	struct trace_call_sum rows[MAX_CALL_ROWS];
	unsigned int nr_rows;
	uint64_t n[PMT_CALL_COUNTS]; /* since the scene began */
	struct trace_counts counts;
	int64_t causes[PMT_CAUSES]; /* pages */
};

/* What a function is expected to have done. Memory in pages. */
struct want {
	uint64_t calls, resumes, returns, yields, unwinds, lost, open;
	uint64_t grew, shrank;
	int64_t total, largest;
};

/* A child that is not watched yet. */
struct child start_vm(enum fake_style style);
/* Watches it, in a session that is the caller's. flags: of its struct pmt_target. */
struct call_scene scene_of(struct trace *t, struct child child, uint32_t flags);
struct call_scene scene_in(struct trace *t, enum fake_style style);
/* A session for scenes; all is seen unless `calls` says otherwise. */
struct trace *open_calls(const struct trace_calls *calls);
struct trace *open_calls_of_entries(void); /* exits are not probed */
struct trace *open_calls_with(const struct trace_options *o);
/* A new child in a session that sees everything, and that tests share until one has its own. */
struct call_scene scene_begin(enum fake_style style);
/* Ends the child; the session stays. */
void scene_close(struct call_scene *s);
/* cmocka's group fixtures: maps memory; closes the shared session. */
int scenes_set_up(void **state);
int scenes_tear_down(void **state);

/* The sites of a style, in the child or (pid 0) in all that run this file. */
void scene_attach(struct call_scene *s, pid_t pid);

/* Has the child run it, and waits for its end. */
void run(struct call_scene *s, void (*what)(void));
/* The same in two parts; a child that does not live to its end needs only the first. */
void run_begin(struct call_scene *s, void (*what)(void));
bool run_is_over(const struct call_scene *s);
void run_end(struct call_scene *s);

/* Reads all, and checks that it adds up. */
void look(struct call_scene *s);

/*
 * What was done in a function: by all, or in one thread that lives or (by its tgid) one process. fn 0 of
 * BPF is NO_FUNCTION here.
 */
#define NO_FUNCTION (NR_FAKE_CODES + 1)
struct trace_call_sum sum_of(const struct call_scene *s, unsigned int fn, uint32_t tid);

/* Is n what was lost in that way, and nothing in others? */
void assert_losses(const struct call_scene *s, enum pmt_call_count which, uint64_t n);
void assert_no_losses(const struct call_scene *s);

void expect(const struct call_scene *s, unsigned int fn, uint32_t tid, const struct want *w,
	    const char *file, int line);
#define EXPECT(s, fn, ...) \
	expect((s), (fn), 0, &(const struct want){__VA_ARGS__}, __FILE__, __LINE__)
#define EXPECT_IN(s, tid, fn, ...) \
	expect((s), (fn), (tid), &(const struct want){__VA_ARGS__}, __FILE__, __LINE__)

/* Entries of a map that BPF has. */
size_t count_entries(const struct trace *t, const char *map);

#endif
