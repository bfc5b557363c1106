/* SPDX-License-Identifier: MIT */
/*
 * `explain -p PID`: where every resident byte is and what would give it back; with -i the same again and
 * again, as differences. Each reading opens the process anew: what it was before exec is no longer true.
 */
#include "cmd/cmd.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/timer.h"
#include "cmd/explain_read.h"
#include "cmd/process.h"
#include "cmd/terminal.h"
#include "model/cgroup_rate.h"
#include "model/memory_map.h"
#include "model/verdict.h"
#include "output/explain_map.h"
#include "output/explain_text.h"
#include "output/json.h"
#include "output/json_explain.h"
#include "output/sink.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>

#define MAX_EXPLAINED 4096

/* One process through a series. */
struct explained {
	pid_t pid;
	bool ended, has_last;
	struct explanation last;
	struct cgroup_rate rate;
};

struct series {
	const struct options *o;
	struct sink sink;
	struct explained *v;
	size_t nr;
	bool lost;
	uint64_t reports;
};

static int write_json(const struct series *s, const struct explanation *e, const struct verdict *v)
{
	json_t *doc = json_explanation(e, v);
	const bool one_line = s->nr > 1 || s->o->has_interval;
	int err = doc ? json_write(s->sink.f, doc, one_line) : -ENOMEM;

	json_decref(doc);
	return err;
}

static int write_map(const struct series *s, const struct explanation *e,
		     const struct memory_map *m)
{
	FILE *out = s->sink.f;
	const struct explain_map_text how = {
		.width = terminal_width(s->sink.fd),
		.utf8 = terminal_utf8(s->sink.fd),
		.colour = terminal_colour(s->sink.fd),
	};

	if (format_is(s->o, "svg"))
		return explain_map_svg(out, e, m);
	return explain_map_text(out, e, m, &how);
}

static int write_one(const struct series *s, const struct explained *x, const struct explanation *e)
{
	struct cgroup_growth growth;
	const struct explain_text how = {
		.verbose = s->o->verbose > 0,
		.interval = s->o->has_interval,
		.width = terminal_width(s->sink.fd),
		.cgroup_rate = cgroup_rate_steady(&x->rate, &growth) ? growth.bytes_per_second : 0,
	};
	struct verdict v;

	if (x->has_last && !format_is(s->o, "json"))
		return explain_print_diff(s->sink.f, &x->last, e, &how);
	verdict_of(e, &v);
	if (format_is(s->o, "json"))
		return write_json(s, e, &v);
	if (x > s->v) /* another is above it */
		fputc('\n', s->sink.f);
	return explain_print(s->sink.f, e, &v, &how);
}

static int open_it(const struct options *o, const struct explained *x, struct process *p,
		   struct fault *f)
{
	int err = process_open(p, x->pid, o->strict, f);

	if (err)
		return err;
	if (x->has_last && x->last.process.start_ticks != p->id.start_ticks) {
		process_done(p); /* another that has its number now */
		return fault_set(f, ESRCH, "pid %d has ended", (int)x->pid);
	}
	if (!process_matches(o, &p->id)) {
		process_done(p);
		return -ECANCELED;
	}
	return 0;
}

/* 0, or -errno with a fault that was reported; -ECANCELED: --include and --exclude leave it out. */
static int explain_one(struct series *s, struct explained *x)
{
	const struct options *o = s->o;
	struct explanation e = {0};
	struct memory_map map = {0};
	struct process p = {0};
	struct fault f = {0};
	int err = open_it(o, x, &p, &f);

	if (!err) {
		err = explain_read(&p, o->pause, &e, o->map ? &map : NULL, &f);
		process_done(&p);
	}
	if (!err) {
		cgroup_rate_add(&x->rate, e.time_ns, &e.cgroup);
		err = o->map ? write_map(s, &e, &map) : write_one(s, x, &e);
		if (err)
			fault_errno(&f, -err, "cannot write");
	}
	memory_map_done(&map);
	if (err) {
		x->ended = true;
		explanation_done(&e);
		/* in a series its end is news, no failure */
		if (err == -ESRCH && x->has_last) {
			report_note(o, "pid %d has ended", (int)x->pid);
			return 0;
		}
		if (err != -ECANCELED)
			report_fault(&f);
		return err;
	}
	if (e.approximate)
		report_note(o, "pid %d: approximate: %s%s", (int)x->pid, e.approximate_why,
			    explanation_pause_helps(&e) ? "; --pause reads one moment" : "");
	s->lost |= e.approximate;
	if (x->has_last)
		explanation_done(&x->last);
	x->last = e;
	x->has_last = true;
	return 0;
}

static int add(struct series *s, pid_t pid)
{
	struct explained *more;

	for (size_t i = 0; i < s->nr; i++)
		if (s->v[i].pid == pid)
			return 0;
	more = s->nr < MAX_EXPLAINED ? reallocarray(s->v, s->nr + 1, sizeof(*more)) : NULL;
	if (!more)
		return -ENOMEM;
	s->v = more;
	s->v[s->nr++] = (struct explained){.pid = pid};
	return 0;
}

/* Who is asked for now: with --children those born since, too, and not those that have ended. */
static int find_all(struct series *s, struct fault *f)
{
	_cleanup_free_ pid_t *pids = NULL;
	int nr = process_select(s->o, &pids, f);
	size_t kept = 0;

	for (size_t i = 0; i < s->nr && nr > 0; i++)
		if (!s->v[i].ended || process_is_among(s->v[i].pid, pids, (size_t)nr))
			s->v[kept++] = s->v[i];
		else
			explanation_done(&s->v[i].last);
	s->nr = nr > 0 ? kept : s->nr;
	for (int i = 0; i < nr; i++)
		if (add(s, pids[i]))
			return fault_set(f, E2BIG, "more than %d processes", MAX_EXPLAINED);
	return nr < 0 ? nr : 0;
}

/* How many of them could not be read. */
static size_t round_of_all(struct series *s)
{
	size_t failed = 0;

	for (size_t i = 0; i < s->nr; i++)
		if (!s->v[i].ended) {
			int err = explain_one(s, &s->v[i]);

			failed += err < 0 && err != -ECANCELED;
		}
	s->reports++;
	return failed;
}

static bool all_ended(const struct series *s)
{
	for (size_t i = 0; i < s->nr; i++)
		if (!s->v[i].ended)
			return false;
	return true;
}

static int signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static bool is_over(const struct series *s)
{
	return all_ended(s) || (s->o->reports && s->reports >= s->o->reports) || ferror(s->sink.f);
}

/* The rounds behind the first, until the time is up, Ctrl-C, or the end of all. */
static int go_on(struct series *s, struct fault *f)
{
	_cleanup_fd_ int signals = signals_open(), tick = timer_open(), end = timer_open();
	struct pollfd fds[] = {
		{.fd = signals, .events = POLLIN},
		{.fd = end, .events = POLLIN},
		{.fd = tick, .events = POLLIN},
	};

	if (signals < 0 || tick < 0 || end < 0)
		return fault_errno(f, errno, "no timer");
	timer_arm(tick, s->o->interval_ns, s->o->interval_ns);
	if (s->o->duration_ns)
		timer_arm(end, s->o->duration_ns, 0);
	while (!is_over(s)) {
		int err = sink_flush(&s->sink, f);

		if (err)
			return err;
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return fault_errno(f, errno, "poll");
		if (fds[0].revents || fds[1].revents)
			break;
		if (!timer_expired(tick))
			continue;
		err = s->o->children ? find_all(s, f) : 0;
		if (err)
			return err;
		round_of_all(s);
	}
	return 0;
}

static int conduct(struct series *s)
{
	struct fault f = {0};
	size_t failed = round_of_all(s);

	if (failed && failed == s->nr) {
		sink_abort(&s->sink);
		return EXIT_FAILED;
	}
	if (s->o->has_interval && go_on(s, &f)) {
		sink_abort(&s->sink);
		return report_fault(&f);
	}
	if (sink_commit(&s->sink, &f))
		return report_fault(&f);
	if (failed)
		return EXIT_FAILED;
	return s->lost && s->o->strict ? EXIT_INCOMPLETE : EXIT_OK;
}

static int run(const struct options *o)
{
	struct series s = {.o = o};
	struct fault f = {0};
	int status;

	if (!o->has_interval && (o->reports > 1 || o->duration_ns))
		options_usage(o->command, "-n and -d need -i SECONDS");
	if (o->map && o->has_interval)
		options_usage(o->command, "--map is of one moment: without -i");
	if (o->map && format_is(o, "json"))
		options_usage(o->command, "--map is text or svg");
	if (!o->map && format_is(o, "svg"))
		options_usage(o->command, "svg is what --map draws: it needs --map");
	if (find_all(&s, &f))
		return report_fault(&f);
	if (s.nr > 1 && format_is(o, "svg"))
		options_usage(o->command, "an svg is of one process");
	status = sink_open(&s.sink, o->output, o->force, &f) ? report_fault(&f) : conduct(&s);
	for (size_t i = 0; i < s.nr; i++)
		explanation_done(&s.v[i].last);
	free(s.v);
	return status;
}

const struct command cmd_explain = {
	.name = "explain",
	.summary = "Where every resident byte is, and what would give it back",
	.args_doc = "-p PID[,PID...] [OPTION...]",
	.doc = "Reads page tables and the allocators' own books from outside: nothing runs in the process,\n"
	       "and no page of it is touched. The rows sum up to RSS exactly; -v shows each by name. With\n"
	       "-i they are printed again as differences. `diff` compares two of these that were saved.\n",
	.takes = OPT_PID | OPT_CHILDREN | OPT_INTERVAL | OPT_REPORTS | OPT_DURATION | OPT_OUTPUT |
		 OPT_FORMAT | OPT_PAUSE | OPT_STRICT | OPT_GLOB | OPT_MAP,
	.formats = "text json svg",
	.run = run,
};
