/* SPDX-License-Identifier: MIT */
/* `snapshot -p PID`: what sys._debugmallocstats() would print in the process, now. */
#include "cmd/cmd.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "cmd/process.h"
#include "output/json.h"
#include "output/sink.h"
#include "output/stats_text.h"

#include <errno.h>
#include <inttypes.h>

static void notes(const struct options *o, const struct snapshot *s)
{
	const struct read_losses *l = &s->losses;
	int pid = (int)s->process.pid;

	if (s->python.nr_interpreters > 1)
		report_note(o, "pid %d: %u interpreters; these are the figures of the main one",
			    pid, s->python.nr_interpreters);
	if (!s->python.layout_measured)
		report_note(o, "pid %d: layout of %s", pid, s->python.layout);
	if (s->stats.hidden)
		report_note(o,
			    "pid %d: tracemalloc hides pymalloc from sys._debugmallocstats(); "
			    "--format json has its figures",
			    pid);
	else if (!s->stats.pymalloc)
		report_note(o, "pid %d: pymalloc is not in use, but %s", pid,
			    allocator_name(s->python.allocator));
	if (s->paused)
		report_note(o, "pid %d: stopped for %.1f ms", pid, (double)s->pause_ns / 1e6);
	if (l->moving)
		report_note(o,
			    "pid %d: arenas came and went while it was read; --pause reads one "
			    "moment",
			    pid);
	if (l->arenas_torn)
		report_note(o,
			    "pid %d: %" PRIu64
			    " arenas never added up while they were read; --pause reads one moment",
			    pid, l->arenas_torn);
	if (l->pools_unread)
		report_note(o, "pid %d: %" PRIu64 " pools are swapped out and were not read", pid,
			    l->pools_unread);
	if (l->pools_invalid)
		report_note(o, "pid %d: %" PRIu64 " pool headers make no sense", pid,
			    l->pools_invalid);
	if (l->freelists_unread)
		report_note(o, "pid %d: %" PRIu64 " free lists could not be read", pid,
			    l->freelists_unread);
}

static int write_one(FILE *out, const struct options *o, const struct snapshot *s, size_t nr)
{
	if (format_is(o, "json")) {
		json_t *doc = json_snapshot(s);
		int err = doc ? json_write(out, doc, nr > 1) : -ENOMEM;

		json_decref(doc);
		return err;
	}
	if (nr > 1)
		fprintf(out, "# pid %d\n", (int)s->process.pid);
	stats_print(out, &s->stats);
	return 0;
}

/* 0, -errno, or 1: --include and --exclude leave it out. */
static int one(FILE *out, const struct options *o, pid_t pid, size_t nr, bool *lost)
{
	struct process p = {0};
	struct snapshot s = {0};
	struct fault f = {0};
	int err = process_open(&p, pid, o->strict, &f);

	if (!err && !process_matches(o, &p.id)) {
		process_done(&p);
		return 1;
	}
	if (!err && !p.supported) {
		f = p.why;
		err = -f.err;
	}
	if (!err)
		err = process_snapshot(&p, o->pause, &s, &f);
	if (!err) {
		*lost |= read_losses_any(&s.losses);
		err = write_one(out, o, &s, nr);
		if (err)
			fault_errno(&f, -err, "cannot write the snapshot");
	}
	if (err)
		report_fault(&f);
	else
		notes(o, &s);
	snapshot_done(&s);
	process_done(&p);
	return err;
}

static int run(const struct options *o)
{
	_cleanup_free_ pid_t *pids = NULL;
	struct sink sink = {0};
	struct fault f = {0};
	bool lost = false;
	int nr, failed = 0;

	nr = process_select(o, &pids, &f);
	if (nr < 0)
		return report_fault(&f);
	if (sink_open(&sink, o->output, o->force, &f))
		return report_fault(&f);
	for (int i = 0; i < nr; i++)
		failed += one(sink.f, o, pids[i], (size_t)nr, &lost) < 0;
	if (failed && failed == nr) {
		sink_abort(&sink);
		return EXIT_FAILED;
	}
	if (sink_commit(&sink, &f))
		return report_fault(&f);
	if (failed)
		return EXIT_FAILED;
	return lost && o->strict ? EXIT_INCOMPLETE : EXIT_OK;
}

const struct command cmd_snapshot = {
	.name = "snapshot",
	.summary = "What sys._debugmallocstats() would print in the process, byte for byte",
	.args_doc = "-p PID[,PID...] [OPTION...]",
	.doc = "Reads the allocator's state from outside: nothing runs in the process. Each arena\n"
	       "is consistent in itself; --pause gives one moment of the whole. `diff` compares\n"
	       "two of these.\n",
	.takes = OPT_PID | OPT_CHILDREN | OPT_OUTPUT | OPT_FORMAT | OPT_PAUSE | OPT_STRICT |
		 OPT_GLOB,
	.formats = "text json",
	.run = run,
};
