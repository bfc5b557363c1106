/* SPDX-License-Identifier: MIT */
#include "cmd/recorder.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cmd/cmd.h"
#include "cmd/collect.h"
#include "cmd/loop.h"
#include "cmd/recorder_arenas.h"
#include "model/profile_tree.h"
#include "output/pmt.h"
#include "output/profile_out.h"
#include "trace/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* pymemtrace-4242-20261123120000.pmt; of a program that is started, its name instead of the PID */
static char *default_path(const struct options *o)
{
	time_t now = time(NULL);
	struct tm tm;
	char when[32], *path;
	int n;

	localtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y%m%d%H%M%S", &tm);
	if (o->program) {
		const char *slash = strrchr(o->program[0], '/');

		n = asprintf(&path, "pymemtrace-%s-%s.pmt", slash ? slash + 1 : o->program[0],
			     when);
	} else {
		n = asprintf(&path, "pymemtrace-%d-%s.pmt", (int)o->pids[0], when);
	}
	return n < 0 ? NULL : path;
}

int recorder_open(struct recorder *r, const struct options *o, struct fault *f)
{
	bool recording = format_is(o, "pmt");
	int err;

	memset(r, 0, sizeof(*r));
	r->o = o;
	r->progress = !o->quiet && isatty(STDERR_FILENO);
	r->arenas = o->events & 1u << PROFILE_ARENA;
	r->began_ns = clock_monotonic_ns();
	if (o->output)
		r->path = strdup(o->output);
	else if (recording)
		r->path = default_path(o);
	if (!r->path && (o->output || recording))
		return fault_errno(f, ENOMEM, "cannot record");
	if (format_is(o, "pprof") && !o->output && isatty(STDOUT_FILENO)) {
		fault_set(f, EINVAL, "pprof is no text for a terminal");
		fault_hint(f, "-o FILE.pb.gz");
		err = -EINVAL;
	} else if (recording) {
		err = sink_open_growing(&r->sink, r->path, o->force, f);
	} else {
		err = sink_open(&r->sink, r->path, o->force, f);
	}
	if (!err && recording && !(r->writer = pmt_writer_new(&r->sink))) {
		sink_abort(&r->sink);
		err = fault_errno(f, ENOMEM, "cannot record");
	}
	if (err)
		free(r->path);
	return err;
}

void recorder_begin(struct recorder *r, struct trace *t, struct collector *stacks)
{
	r->enrol = (struct enrol){.trace = t, .stacks = stacks};
}

/* The first failure counts; nothing more is written after it. */
static void check_written(struct recorder *r, int err, const struct fault *f)
{
	if (!err || r->broken)
		return;
	r->broken = true;
	r->why = *f;
}

static void begin(void *ctx, struct watched *w)
{
	struct recorder *r = ctx;

	enrol_begin(&r->enrol, w);
	recorder_cgroup(&r->cgroups, collector_total(r->enrol.stacks), r->o, w);
	/* of one that has ended: the last look may have been before it was initialised */
	if (!w->process.supported && !(w->phase == WATCH_ENDED && w->process.why.err == EAGAIN))
		report_note(r->o, "%s; its growth is recorded without stacks", w->process.why.text);
}

static void change(void *ctx, struct watched *w, const struct moment *prev)
{
	struct recorder *r = ctx;

	(void)prev;
	enrol_account(&r->enrol, w);
	recorder_cgroup(&r->cgroups, collector_total(r->enrol.stacks), r->o, w);
}

static void total(void *ctx, struct watched *w)
{
	struct recorder *r = ctx;

	w->total_done = true;
	enrol_account(&r->enrol, w);
	recorder_cgroup(&r->cgroups, collector_total(r->enrol.stacks), r->o, w);
	if (r->arenas && w->phase == WATCH_RUNNING)
		recorder_arenas(r->enrol.stacks, r->o, w);
}

static void exec_(void *ctx, struct watched *w)
{
	enrol_exec(&((struct recorder *)ctx)->enrol, w);
}

static void problem(void *ctx, const struct watched *w, const struct fault *f)
{
	struct recorder *r = ctx;

	(void)w;
	r->failed = true;
	report_fault(f);
}

static void end(void *ctx, struct watched *w)
{
	struct fault f = {0};

	if (w->has_base || w->answered) { /* the latter: of a program before this one */
		total(ctx, w);
	} else if (w->asked && !w->left_out && w->process.python) {
		fault_set(&f, ESRCH, "pid %d ended before it could be read",
			  (int)w->process.id.pid);
		problem(ctx, w, &f);
	}
}

static void brief(void *ctx, pid_t pid, pid_t parent)
{
	enrol_brief(&((struct recorder *)ctx)->enrol, pid, parent);
}

static void lost(void *ctx)
{
	((struct recorder *)ctx)->enrol.lost = true;
}

/* 00:00:12  1,204 events on 97 stacks, growth +14.2 MiB */
static void show_progress(struct recorder *r, const struct profile *p)
{
	int64_t seconds = (clock_monotonic_ns() - r->began_ns) / 1000000000;
	const struct profile_select all = {.event = PROFILE_RSS};
	struct profile_account a;
	uint64_t events = 0;
	char count[32], growth[24];

	profile_account(p, &all, &a);
	for (uint32_t i = 0; i < p->nr_rows; i++)
		events += p->rows[i].change.events;
	fprintf(stderr,
		"\r%02" PRId64 ":%02" PRId64 ":%02" PRId64 "  %s events on %" PRIu32
		" stacks, RSS %s\033[K",
		seconds / 3600, seconds / 60 % 60, seconds % 60,
		text_thousands(count, (int64_t)events, false), p->nr_stacks,
		text_size(growth, a.rss_after - a.rss_before, true));
	fflush(stderr);
}

static void flush(void *ctx)
{
	struct recorder *r = ctx;
	const struct profile *p = collector_total(r->enrol.stacks);
	struct fault f = {0};

	if (r->writer && !r->broken && p->nr_processes)
		check_written(r, pmt_writer_update(r->writer, p, &f), &f);
	if (r->progress)
		show_progress(r, p);
}

static bool broken(void *ctx)
{
	return ((struct recorder *)ctx)->broken;
}

const struct listener record_listener = {
	.begin = begin,
	.change = change,
	.total = total,
	.exec = exec_,
	.end = end,
	.brief = brief,
	.problem = problem,
	.lost = lost,
	.flush = flush,
	.broken = broken,
};

static bool was_full(const struct profile *p)
{
	for (uint32_t i = 0; i < p->nr_processes; i++)
		for (int e = 0; e < PROFILE_EVENTS; e++)
			if (p->processes[i].causes[e][PROFILE_TABLE_FULL].events)
				return true;
	return false;
}

static int write_format(struct recorder *r, struct fault *f)
{
	const struct profile_view view = {
		.top = r->o->top >= TOP_DEFAULT ? RECORD_TOP : r->o->top,
	};

	return profile_write(r->sink.f, collector_total(r->enrol.stacks), &view, r->o->format, f);
}

/* The file of a recording stays, whatever happens: it can be read up to its last moment. */
static int finish(struct recorder *r, struct fault *f)
{
	int err;

	if (r->writer && !collector_total(r->enrol.stacks)->nr_processes) {
		sink_abort(&r->sink); /* it is empty, and goes */
		return 0;
	}
	if (r->broken) {
		*f = r->why;
		err = -f->err;
	} else if (r->writer) {
		err = pmt_writer_end(r->writer, collector_total(r->enrol.stacks), f);
	} else {
		err = write_format(r, f);
	}
	if (!err)
		return sink_commit(&r->sink, f);
	sink_abort(&r->sink);
	return err;
}

int recorder_close(struct recorder *r)
{
	bool incomplete = profile_incomplete(collector_total(r->enrol.stacks));
	struct fault f = {0};
	char shown[512] = "";
	int err;

	if (r->progress)
		fputc('\n', stderr);
	if (was_full(collector_total(r->enrol.stacks)))
		report_note(r->o,
			    "the table of %" PRIu64 " stacks was full: --stacks N makes it larger",
			    r->o->stacks);
	enrol_note_losses(&r->enrol, r->o);
	err = finish(r, &f);
	if (r->path)
		text_escape(shown, sizeof(shown), r->path, strlen(r->path));
	if (err && r->writer)
		fault_hint(&f, "what was written can be read: pymemtrace-bpf report %s", shown);
	if (err)
		report_fault(&f);
	else if (r->writer && collector_total(r->enrol.stacks)->nr_processes)
		report_note(r->o, "next: pymemtrace-bpf report %s", shown);
	else if (r->writer && !r->failed && !r->o->program)
		report_note(r->o, "no Python was seen: nothing is recorded");
	recorder_cgroups_done(&r->cgroups);
	pmt_writer_free(r->writer);
	free(r->path);
	if (err || r->failed)
		return EXIT_FAILED;
	return r->o->strict && (r->enrol.lost || incomplete) ? EXIT_INCOMPLETE : EXIT_OK;
}

void recorder_abort(struct recorder *r)
{
	sink_abort(&r->sink);
	recorder_cgroups_done(&r->cgroups);
	pmt_writer_free(r->writer);
	free(r->path);
}
