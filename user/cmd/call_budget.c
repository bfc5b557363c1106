/* SPDX-License-Identifier: MIT */
#include "cmd/call_budget.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/text.h"
#include "base/timer.h"
#include "cmd/cmd.h"
#include "target/target.h"
#include "trace/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>

/* What BPF does at a hit besides counting it, measured (docs/overhead.md): shadow stack, sums, an event of the log. */
#define ENTRY_BPF_NS 500
#define EXIT_BPF_NS  320
#define LOG_BPF_NS   240

#define ESTIMATE_NS	 200000000
#define ESTIMATE_HITS	 50000
#define ESTIMATE_STEP_NS 5000000
#define TICK_NS		 (1000000000 / BUDGET_TICKS)
#define LEAST_SHARE	 0.02
#define VAGUE_SHARE \
	0.1 /* when nearly all of the time is the probes', what is left tells little, ... */
#define MOST_VAGUE 0.2 /* ... but that it is no more than this, however wrong the cost of a hit */

struct budget_clock {
	pid_t pid;
	clockid_t clock;
	int64_t last_ns, delay_ns;
};

int call_budget_open(struct call_budget *b, const struct options *o, struct trace *t,
		     struct fault *f)
{
	*b = (struct call_budget){.o = o, .trace = t};
	b->timer = timer_open();
	return b->timer < 0 ? fault_errno(f, -b->timer, "no timer") : 0;
}

void call_budget_close(struct call_budget *b)
{
	if (b->timer >= 0)
		close(b->timer);
	free(b->clocks);
}

/* -1: it has ended. */
static int64_t clock_of(const struct budget_clock *c)
{
	struct timespec t;

	if (clock_gettime(c->clock, &t))
		return -1;
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void call_budget_add(struct call_budget *b, pid_t pid)
{
	struct budget_clock *more, c = {.pid = pid};

	for (size_t i = 0; i < b->nr_clocks; i++)
		if (b->clocks[i].pid == pid)
			return;
	if (clock_getcpuclockid(pid, &c.clock) || (c.last_ns = clock_of(&c)) < 0)
		return;
	more = reallocarray(b->clocks, b->nr_clocks + 1, sizeof(*more));
	if (!more)
		return;
	c.delay_ns = target_run_delay_ns(pid);
	b->clocks = more;
	b->clocks[b->nr_clocks++] = c;
}

void call_budget_costs(struct call_budget *b, double entry_ns, double exit_ns)
{
	double log = b->o->calls.log && !b->o->calls.threshold ? LOG_BPF_NS : 0;

	b->counting_ns = entry_ns;
	b->entry_ns = entry_ns + ENTRY_BPF_NS + log;
	b->exit_ns = exit_ns > 0 ? exit_ns + EXIT_BPF_NS + log : 0;
}

static struct budget_moment look(struct call_budget *b)
{
	uint64_t counts[PMT_CALL_COUNTS];
	struct budget_moment m = {.time_ns = clock_monotonic_ns()};

	for (size_t i = 0; i < b->nr_clocks;) {
		struct budget_clock *c = &b->clocks[i];
		int64_t now = clock_of(c), delay;

		if (now < 0) {
			*c = b->clocks[--b->nr_clocks];
			continue;
		}
		b->busy_ns += max(now - c->last_ns, (int64_t)0);
		c->last_ns = now;
		delay = target_run_delay_ns(c->pid);
		b->delay_ns += max(delay - c->delay_ns, (int64_t)0);
		c->delay_ns = delay;
		i++;
	}
	m.busy_ns = b->busy_ns;
	m.delay_ns = b->delay_ns;
	m.entries = b->newest.entries;
	m.exits = b->newest.exits;
	if (!trace_read_call_counts(b->trace, counts)) {
		m.entries = counts[PMT_HITS_ENTRY];
		m.exits = counts[PMT_HITS_EXIT];
	}
	b->newest = m;
	return m;
}

/* The time of which a cost between two moments is a part. */
static double time_between(const struct budget_moment *from, const struct budget_moment *to)
{
	return (double)max(to->time_ns - from->time_ns - (to->delay_ns - from->delay_ns),
			   to->busy_ns - from->busy_ns);
}

/* ... less that cost; it is never nothing. */
static double own_ns(double time, double cost, double least_share)
{
	return max(time - cost, time * least_share);
}

/* "1.1 M", "85,000", "1,200" */
const char *call_rate_text(char buf[static 32], double rate)
{
	double step = rate >= 100 ? pow(10, floor(log10(rate)) - 1) : 1;

	if (rate >= 1e6)
		snprintf(buf, 32, "%.1f M", rate / 1e6);
	else
		text_thousands(buf, (int64_t)(round(rate / step) * step), false);
	return buf;
}

/* "×2.4", "23 % more", "under 1 %" */
static const char *factor_text(char buf[static 32], double more)
{
	if (more < 0.01)
		snprintf(buf, 32, "under 1 %%");
	else if (more < 0.5)
		snprintf(buf, 32, "expect %.0f %% more", more * 100);
	else
		snprintf(buf, 32, "expect ×%.1f", 1 + more);
	return buf;
}

static void say_estimate(struct call_budget *b, const struct budget_moment *from,
			 const struct budget_moment *to)
{
	double hits = (double)(to->entries - from->entries);
	double seconds = (double)(to->time_ns - from->time_ns) / 1e9;
	double counting = hits * b->counting_ns;
	double time = time_between(from, to);
	bool vague = time - counting <= time * VAGUE_SHARE;
	double own = own_ns(time, counting, vague ? MOST_VAGUE : VAGUE_SHARE);
	double more = hits * (b->entry_ns + b->exit_ns) / own;
	/* without the probes it would have run so much faster */
	double rate = hits / seconds * time / own;
	char calls[32], factor[32];

	if (hits <= 0)
		report_note(b->o, "no function was entered in %.1f s: it is idle, or not in Python",
			    seconds);
	else
		report_note(
			b->o, "%s %s calls/s: %s%s%s", vague ? "more than" : "about",
			call_rate_text(calls, rate), factor_text(factor, more),
			vague ? " or worse" : "",
			more >= 0.1
				? "; --include narrows what is recorded, not the cost of the probes"
				: "");
}

void call_budget_estimate(struct call_budget *b, int wake)
{
	struct budget_moment from, now;
	struct pollfd fds[] = {
		{.fd = b->timer, .events = POLLIN},
		{.fd = wake, .events = POLLIN},
	};

	from = now = look(b);
	timer_arm(b->timer, ESTIMATE_STEP_NS, ESTIMATE_STEP_NS);
	while (now.time_ns - from.time_ns < ESTIMATE_NS &&
	       now.entries - from.entries < ESTIMATE_HITS) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			break;
		now = look(b);
		if (fds[1].revents)
			break;
		timer_expired(b->timer);
	}
	timer_arm(b->timer, 0, 0);
	if (now.time_ns > from.time_ns && !fds[1].revents)
		say_estimate(b, &from, &now);
}

void call_budget_begin(struct call_budget *b)
{
	b->begin = look(b);
	b->window[0] = b->begin;
	b->nr_ticks = 1;
	if (b->o->calls.max_overhead > 0)
		timer_arm(b->timer, TICK_NS, TICK_NS);
}

static double cost_between(const struct call_budget *b, const struct budget_moment *from,
			   const struct budget_moment *to)
{
	return (double)(to->entries - from->entries) * b->entry_ns +
	       (double)(to->exits - from->exits) * b->exit_ns;
}

bool call_budget_exceeded(struct call_budget *b, char *ret_text, size_t size)
{
	struct budget_moment now, *before;
	double cost, percent;

	if (b->o->calls.max_overhead <= 0 || !timer_expired(b->timer))
		return false;
	now = look(b);
	before = &b->window[b->nr_ticks % BUDGET_TICKS];
	if (b->nr_ticks < BUDGET_TICKS) {
		b->window[b->nr_ticks++] = now;
		return false;
	}
	cost = cost_between(b, before, &now);
	percent = 100 * cost / own_ns(time_between(before, &now), cost, LEAST_SHARE);
	*before = now;
	b->nr_ticks++;
	if (percent <= b->o->calls.max_overhead)
		return false;
	snprintf(ret_text, size, "over the budget: %.*f %% in the last second, --max-overhead %g",
		 percent < 10 ? 1 : 0, percent, b->o->calls.max_overhead);
	return true;
}

void call_budget_total(struct call_budget *b, uint64_t *ret_entries, uint64_t *ret_exits,
		       uint64_t *ret_cost_ns)
{
	struct budget_moment now = look(b);

	*ret_entries = now.entries - b->begin.entries;
	*ret_exits = now.exits - b->begin.exits;
	*ret_cost_ns = (uint64_t)cost_between(b, &b->begin, &now);
}
