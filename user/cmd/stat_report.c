/* SPDX-License-Identifier: MIT */
#include "cmd/stat_report.h"

#include "base/fault.h"
#include "cmd/cmd.h"
#include "cmd/collect.h"
#include "cmd/loop.h"
#include "cmd/watch.h"
#include "output/json.h"
#include "output/tables.h"
#include "trace/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

#define DEFAULT_TOP 10

int stat_report_open(struct stat_reporter *r, const struct options *o, struct fault *f)
{
	int err;

	memset(r, 0, sizeof(*r));
	r->o = o;
	r->top = o->top == TOP_DEFAULT ? DEFAULT_TOP : o->top;
	r->json = format_is(o, "json");
	err = sink_open(&r->sink, o->output, o->force, f);
	r->printer.out = r->sink.f;
	r->printer.several = o->nr_pids > 1 || o->children || o->program;
	return err;
}

int stat_report_close(struct stat_reporter *r)
{
	struct fault f = {0};

	if (r->broken) {
		sink_abort(&r->sink);
		return report_fault(&r->why);
	}
	if (sink_commit(&r->sink, &f))
		return report_fault(&f);
	if (r->failed)
		return EXIT_FAILED;
	return r->lost && r->o->strict ? EXIT_INCOMPLETE : EXIT_OK;
}

void stat_report_abort(struct stat_reporter *r)
{
	sink_abort(&r->sink);
}

static void write_json(struct stat_reporter *r, json_t *doc)
{
	int err = doc ? json_write(r->sink.f, doc, true) : -ENOMEM;

	json_decref(doc);
	if (err && !r->broken) {
		r->broken = true;
		fault_errno(&r->why, -err, "cannot write the reports");
	}
}

/* {"schema", "kind": "health", "health": {...}}: what was lost for all processes together */
static json_t *losses_document(const struct report_health *h)
{
	json_t *doc = json_document("health"), *health = json_object();

	if (fields_to_json(health, &health_table, h) || json_object_set(doc, "health", health)) {
		json_decref(doc);
		doc = NULL;
	}
	json_decref(health);
	return doc;
}

static void flush(void *ctx)
{
	struct stat_reporter *r = ctx;
	struct report_health h = {0};
	uint64_t now[PMT_LOSS_KINDS];

	if (!trace_read_losses(r->trace, now)) {
		h.records_lost = now[PMT_LOSS_RING] - r->losses[PMT_LOSS_RING];
		h.targets_lost = now[PMT_LOSS_TARGETS] - r->losses[PMT_LOSS_TARGETS];
		h.rss_lost = now[PMT_LOSS_RSS_MAP] - r->losses[PMT_LOSS_RSS_MAP];
		memcpy(r->losses, now, sizeof(now));
	}
	if (!r->out_of_memory && r->stacks && collector_failed(r->stacks)) {
		r->lost = r->out_of_memory = true;
		report_note(r->o, "memory ran out: functions are missing from here on");
	}
	if (report_health_any(&h)) {
		r->lost = true;
		if (r->json)
			write_json(r, losses_document(&h));
		else
			report_print_health(r->sink.f, 0, false, &h);
	}
	if (!r->broken && sink_flush(&r->sink, &r->why))
		r->broken = true;
}

/* -v: the same figures from the two sources that must agree. */
static void print_both(struct stat_reporter *r, const struct moment *m)
{
	const struct rss *a = &m->counts.rss, *b = &m->snap.rss;

	if (!r->o->verbose || r->json)
		return;
	fprintf(r->sink.f,
		"# RSS by BPF:  anon %" PRId64 "  file %" PRId64 "  shmem %" PRId64
		"  swap %" PRId64 "  (%" PRIu64 " events)\n"
		"# RSS by /proc: anon %" PRId64 "  file %" PRId64 "  shmem %" PRId64
		"  swap %" PRId64 "\n",
		a->anon, a->file, a->shmem, a->swap, m->counts.rss_events, b->anon, b->file,
		b->shmem, b->swap);
}

static void begin(void *ctx, struct watched *w)
{
	struct stat_reporter *r = ctx;
	const struct moment *m = &w->last;
	bool pymalloc = m->snap.has_stats && m->snap.stats.pymalloc;
	struct report_header h = {
		.process = &w->process.id,
		.python = &m->snap.python,
		.arena_bytes = pymalloc ? m->snap.stats.arena_bytes : 0,
		.interval_ns = (int64_t)r->o->interval_ns,
		.endless = !r->o->reports && !r->o->duration_ns,
	};
	struct report_state s = {
		.time_ns = m->snap.time_ns,
		.process = &w->process.id,
		.python = &m->snap.python,
		.rss = m->counts.rss_exact,
		.stats = m->snap.has_stats ? &m->snap.stats : NULL,
		.health = {.read = m->snap.losses, .state_disagreed = w->state_disagreed},
	};

	r->lost |= report_health_any(&s.health);
	if (!w->process.supported)
		report_note(r->o, "%s; its RSS is watched all the same", w->process.why.text);
	if (pymalloc && !w->arena_events)
		report_note(r->o, "pid %d: no probes in its arena allocator: arenas from state",
			    (int)w->process.id.pid);
	if (r->json) {
		write_json(r, json_report_state(&s));
		return;
	}
	report_print_header(&r->printer, &h);
	report_print_state(&r->printer, &s);
	print_both(r, m);
}

static void problem(void *ctx, const struct watched *w, const struct fault *f)
{
	struct stat_reporter *r = ctx;

	(void)w;
	r->failed = true;
	report_fault(f);
}

static void print_change(struct stat_reporter *r, const struct watched *w,
			 const struct moment *from, const struct moment *to, struct profile *who)
{
	struct report_change c;
	struct fault f = {0};

	watch_change(w, from, to, &c);
	c.top = r->top;
	if (who && !collector_account(who, w->process.id.pid, &from->counts, &to->counts))
		c.who = who;
	r->lost |= report_health_any(&c.health);
	if (r->json) {
		write_json(r, json_report_change(&c));
		return;
	}
	if (report_print_change(&r->printer, &c, &f))
		problem(r, w, &f);
	print_both(r, to);
}

static struct profile *who_in_all(struct stat_reporter *r, const struct watched *w)
{
	return r->stacks ? collector_of(r->stacks, w->process.id.pid) : NULL;
}

static void change(void *ctx, struct watched *w, const struct moment *prev)
{
	struct stat_reporter *r = ctx;
	struct profile *who = r->stacks ? collector_take(r->stacks, w->process.id.pid) : NULL;

	print_change(r, w, prev, &w->last, who);
	profile_free(who);
}

static void total(void *ctx, struct watched *w)
{
	w->total_done = true;
	print_change(ctx, w, &w->base, &w->last, who_in_all(ctx, w));
}

static void exec_(void *ctx, struct watched *w)
{
	struct stat_reporter *r = ctx;

	if (!r->json)
		fprintf(r->sink.f,
			"# pid %d runs another program now; the total of the one before:\n",
			(int)w->process.id.pid);
	print_change(r, w, &w->base, &w->last, who_in_all(r, w));
}

static void end(void *ctx, struct watched *w)
{
	struct stat_reporter *r = ctx;
	int status = w->wait_status, pid = (int)w->process.id.pid;
	struct fault f = {0};

	if (!w->has_base) {
		/* its end is then the answer to who asked for it */
		if (w->asked && !w->answered && !w->left_out && w->process.python) {
			fault_set(&f, ESRCH, "pid %d ended before it could be read", pid);
			problem(r, w, &f);
		}
		return;
	}
	if (!r->json) {
		if (status == WATCH_STATUS_UNKNOWN)
			fprintf(r->sink.f, "# pid %d has ended", pid);
		else if (WIFSIGNALED(status))
			fprintf(r->sink.f, "# pid %d was ended by signal %d (%s)", pid,
				WTERMSIG(status), strsignal(WTERMSIG(status)));
		else
			fprintf(r->sink.f, "# pid %d ended with status %d", pid,
				WEXITSTATUS(status));
		fputs("; the table is its state at the last report\n", r->sink.f);
		r->printer.gap = false;
	}
	total(r, w);
}

static void lost(void *ctx)
{
	((struct stat_reporter *)ctx)->lost = true;
}

static bool broken(void *ctx)
{
	return ((struct stat_reporter *)ctx)->broken;
}

const struct listener stat_listener = {
	.begin = begin,
	.change = change,
	.total = total,
	.exec = exec_,
	.end = end,
	.problem = problem,
	.lost = lost,
	.flush = flush,
	.broken = broken,
};
