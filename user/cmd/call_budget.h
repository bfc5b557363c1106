/* SPDX-License-Identifier: MIT */
/*
 * What entry and exit probes cost the processes: an estimate before exits are probed and anything is
 * recorded, and a watch over the budget of --max-overhead while they are.
 *
 *	hits x ns, of the time that the processes ran or, if they ran less, of the time that passed;
 *	what they waited for a CPU does not count
 */
#ifndef PMT_CMD_CALL_BUDGET_H
#define PMT_CMD_CALL_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct fault;
struct options;
struct trace;

/* Hits of probes and time of the processes up to a moment. */
struct budget_moment {
	int64_t time_ns;	   /* monotonic */
	int64_t busy_ns, delay_ns; /* on a CPU; waiting for one */
	uint64_t entries, exits;
};

#define BUDGET_TICKS 5 /* in a second */

struct call_budget {
	const struct options *o;
	struct trace *trace;
	int timer;		     /* fd, for poll; -1 */
	double entry_ns, exit_ns;    /* of one hit, all together; 0: there are none */
	double counting_ns;	     /* of an entry while it is only counted */
	struct budget_moment begin;  /* of recording */
	struct budget_moment newest; /* as last looked at */
	struct budget_moment window[BUDGET_TICKS];
	size_t nr_ticks;
	struct budget_clock *clocks;
	size_t nr_clocks;
	int64_t busy_ns, delay_ns;
};

int call_budget_open(struct call_budget *b, const struct options *o, struct trace *t,
		     struct fault *f);
void call_budget_close(struct call_budget *b);

/* Its CPU time counts from here on. */
void call_budget_add(struct call_budget *b, pid_t pid);

/* What a probe costs that only counts, as it was measured; 0: there is none of the kind. */
void call_budget_costs(struct call_budget *b, double entry_ns, double exit_ns);

/*
 * Counts entries for a moment, of which only those are probed yet, and says what is to be expected.
 * wake: an fd that ends it early.
 */
void call_budget_estimate(struct call_budget *b, int wake);

/* Recording begins now. */
void call_budget_begin(struct call_budget *b);

/*
 * When the timer has expired: is the last second over the budget? Then ret_text says by how much:
 * "over the budget: 31 % in the last second, --max-overhead 20".
 */
bool call_budget_exceeded(struct call_budget *b, char *ret_text, size_t size);

/* "1.1 M", "85,000", "1,200" */
const char *call_rate_text(char buf[static 32], double rate);

/* Hits since recording began, and what they cost together. */
void call_budget_total(struct call_budget *b, uint64_t *ret_entries, uint64_t *ret_exits,
		       uint64_t *ret_cost_ns);

#endif
