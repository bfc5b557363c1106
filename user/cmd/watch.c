/* SPDX-License-Identifier: MIT */
#include "cmd/watch.h"

#include "base/clock.h"
#include "cmd/cmd.h"
#include "pymemtrace/layout.h"
#include "python/python.h"
#include "target/target.h"

#include <errno.h>
#include <string.h>

#define SAMPLE_ATTEMPTS 6
#define CHEAP_READ_NS	20000000 /* 20 ms: about 200 MiB of arenas */

void moment_done(struct moment *m)
{
	snapshot_done(&m->snap);
	memset(m, 0, sizeof(*m));
}

void watch_done(struct watched *w)
{
	moment_done(&w->base);
	moment_done(&w->prev);
	moment_done(&w->last);
	process_done(&w->process);
}

static struct pmt_target target_of(const struct python_probe_info *info, uint32_t flags)
{
	const struct py_layout *l = info->layout;

	return (struct pmt_target){
		.arena_size = info->arena_size,
		.ntimes_addr = info->ntimes_addr,
		.narenas_addr = info->narenas_addr,
		.obmalloc_addr = info->obmalloc_addr,
		.interp_addr = info->interp_addr,
		.interp_gil = l->interp_gil,
		.interp_feature_flags = l->interp_feature_flags,
		.tstate_interp = l->tstate_interp,
		.tstate_thread_id = l->tstate_thread_id,
		.gil_last_holder = l->gil_last_holder,
		.gil_locked = l->gil_locked,
		.pool_size = info->pool_size,
		.flags = flags | (info->pool_size_is_arg2 ? PMT_POOL_ARG2 : 0) |
			 (info->free_size_is_arg2 ? PMT_FREE_ARG2 : 0),
	};
}

/* Target first, then probes: an event between the two would be counted for nobody. */
static int attach(struct watched *w, struct trace *t, struct fault *f)
{
	struct pmt_target what = {.flags = w->flags};
	struct python_probe_info info = {0};
	struct trace_sites sites;
	pid_t pid = w->process.target->pid;
	bool probe = w->process.python && !python_probe_info(w->process.python, &info, NULL);
	int err;

	w->arena_events = w->pool_events = false;
	if (probe)
		what = target_of(&info, w->flags);
	err = trace_set_target(t, pid, &what, f);
	if (err || !probe)
		return err;
	sites = (struct trace_sites){
		.file_fd = info.file_fd,
		.dev = info.dev,
		.inode = info.inode,
		.file_name = info.file_name,
		.arena_alloc = info.arena_alloc_offset,
		.arena_mapped = info.arena_mapped_offset,
		.arena_free = info.arena_free_offset,
		.new_pool = info.new_pool_offset,
	};
	err = trace_attach_file(t, &sites, f);
	if (err == -ENOTSUP)
		return 0; /* the figures then come from state */
	if (err)
		return err;
	w->arena_events = info.arena_alloc_offset && info.arena_free_offset;
	w->pool_events = info.new_pool_offset;
	return 0;
}

int watch_look(struct watched *w, struct trace *t, const struct options *o, struct fault *f)
{
	struct process_id id = {0};
	int err;

	if (!target_identify(w->process.target, &id, NULL)) {
		process_id_done(&w->process.id);
		w->process.id = id;
	}
	if (!process_find_python(&w->process, o->strict))
		return 0;
	if (w->process.supported || w->process.why.err == ENOTSUP)
		w->phase = WATCH_RUNNING;
	else
		w->phase = w->process.why.err == EAGAIN ? WATCH_STARTING : WATCH_IDLE;
	err = attach(w, t, f);
	if (err && target_ended(w->process.target))
		err = fault_set(f, ESRCH, "pid %d has ended", (int)w->process.target->pid);
	return err;
}

int watch_open(struct watched *w, struct trace *t, pid_t pid, const struct options *o,
	       uint32_t flags, struct fault *f)
{
	bool rss_only = w->rss_only;
	int err;

	memset(w, 0, sizeof(*w));
	w->rss_only = rss_only;
	w->flags = flags;
	err = target_open(&w->process.target, pid, f);
	if (!err)
		err = target_identify(w->process.target, &w->process.id, f);
	if (!err)
		err = watch_look(w, t, o, f);
	if (err)
		watch_done(w);
	return err;
}

/*
 * Does the state read agree with the newest event? The event recorded the counters as they were
 * before its call; the call may be in flight still, or have returned no arena.
 */
static bool state_agrees(const struct malloc_stats *s, const struct pmt_counts *c,
			 bool *ret_pending)
{
	uint64_t ntimes = s->arenas_total, narenas = s->arenas_current;

	*ret_pending = false;
	if (!c->last_valid)
		return true;
	if (!c->last_was_alloc)
		return ntimes == c->last_ntimes &&
		       (narenas == c->last_narenas - 1 || narenas == c->last_narenas);
	*ret_pending = ntimes == c->last_ntimes;
	if (*ret_pending)
		return narenas == c->last_narenas;
	return ntimes == c->last_ntimes + 1 && narenas == c->last_narenas + 1;
}

/*
 * ... and with all events since the first that could be read? Not since the base: a call that was
 * under way when the probes came was seen by none of them.
 */
static bool chain_agrees(const struct watched *w, const struct moment *m)
{
	if (!w->chain.begun || !m->anchored)
		return true;
	return m->snap.stats.arenas_total - w->chain.ntimes ==
	       m->arenas_effective - w->chain.effective;
}

static int sample_once(struct watched *w, struct trace *t, const struct options *o,
		       struct moment *m, bool *ret_agrees, struct fault *f)
{
	pid_t pid = w->process.target->pid;
	struct trace_counts before;
	bool pending = false;
	int err = trace_read(t, pid, &before, f);

	if (!err)
		err = w->rss_only ? process_rss(&w->process, &m->snap, f)
				  : process_snapshot(&w->process, o->pause, &m->snap, f);
	if (err)
		return err;
	err = trace_read(t, pid, &m->counts, f);
	if (err) {
		moment_done(m);
		return err;
	}
	*ret_agrees = true;
	m->anchored = w->arena_events && m->snap.stats.pymalloc && !m->snap.losses.moving &&
		      before.counts.events == m->counts.counts.events &&
		      /* an event that recorded no counters does not say whether it is over */
		      (m->counts.counts.last_valid || !m->counts.counts.events);
	if (!m->anchored)
		return 0;
	*ret_agrees = state_agrees(&m->snap.stats, &m->counts.counts, &pending);
	m->arenas_effective =
		m->counts.counts.arenas_taken - m->counts.counts.arenas_failed - (pending ? 1 : 0);
	*ret_agrees &= chain_agrees(w, m);
	return 0;
}

/* The base of a process watched from its first instruction: an allocator that holds nothing. */
static void base_of_start(struct watched *w, const struct moment *now)
{
	const struct malloc_stats *s = &now->snap.stats;

	w->base.snap.has_stats = now->snap.has_stats;
	w->base.snap.time_ns = now->snap.time_ns;
	w->base.snap.stats = (struct malloc_stats){
		.pymalloc = s->pymalloc,
		.threshold = s->threshold,
		.nr_classes = s->nr_classes,
		.alignment = s->alignment,
		.arena_bytes = s->arena_bytes,
		.pool_bytes = s->pool_bytes,
		.radix = s->radix,
		.nr_free_lists = s->nr_free_lists,
	};
	for (size_t i = 0; i < s->nr_free_lists; i++) {
		w->base.snap.stats.free_lists[i] = s->free_lists[i];
		w->base.snap.stats.free_lists[i].count = 0;
	}
	/* what its mm began with came with it: the launcher's own is no news */
	memcpy(w->base.counts.counts.causes, w->start.counts.causes,
	       sizeof(w->start.counts.causes));
	w->base.counts.counts.causes[PMT_ON_RSS][PMT_CAUSE_EXEC].growth -=
		(uint64_t)rss_resident(&w->start.rss);
	w->base.counts.seen_growth = w->start.seen_growth;
	w->base.counts.seen_shrink = w->start.seen_shrink;
	w->chain =
		(struct event_chain){.begun = w->arena_events}; /* no arena had ever been taken */
}

int watch_sample(struct watched *w, struct trace *t, const struct options *o, struct moment *prev,
		 struct fault *f)
{
	struct moment m = {0};
	bool agrees = false, again = true;
	int err;

	/*
	 * A running target can be between an event and the counter it announces: look again. It can
	 * also take an arena while it is read: worth another look where that is cheap, because then
	 * state and events are of one moment.
	 */
	for (int attempt = 0; attempt < SAMPLE_ATTEMPTS && again; attempt++) {
		int64_t began = clock_monotonic_ns();

		moment_done(&m);
		err = sample_once(w, t, o, &m, &agrees, f);
		if (err)
			return err;
		again = !agrees || (w->arena_events && m.snap.stats.pymalloc && !m.anchored &&
				    clock_monotonic_ns() - began < CHEAP_READ_NS);
	}
	if (!agrees)
		w->state_disagreed++;
	else if (!w->chain.begun && m.anchored && m.counts.counts.last_valid)
		w->chain = (struct event_chain){
			.begun = true,
			.ntimes = m.snap.stats.arenas_total,
			.effective = m.arenas_effective,
		};
	if (!w->has_base) {
		if (w->from_start) {
			base_of_start(w, &m);
		} else {
			w->base = m;
			memset(&w->base.snap.process, 0, sizeof(w->base.snap.process));
		}
		w->has_base = true;
	}
	if (prev) {
		moment_done(prev);
		*prev = w->last;
	} else {
		moment_done(&w->last);
	}
	w->last = m;
	return 0;
}

void watch_end(struct watched *w, struct trace *t)
{
	pid_t pid = w->process.target->pid;
	struct trace_counts c;

	if (w->phase == WATCH_ENDED)
		return;
	if (w->from_start && !w->has_base && !w->left_out && w->process.python) {
		/* its whole life was shorter than a look at its state: the events saw it */
		w->last.snap.python = *python_id(w->process.python);
		w->last.snap.time_ns = w->base.snap.time_ns = clock_realtime_ns();
		w->has_base = true;
	}
	if ((w->has_base || w->answered) && !trace_read(t, pid, &c, NULL)) {
		const struct pmt_counts *a = &w->last.counts.counts, *b = &c.counts;

		w->arenas_at_end = w->last.snap.stats.arenas_current +
				   (b->arenas_taken - a->arenas_taken) -
				   (b->arenas_failed - a->arenas_failed) -
				   (b->arenas_released - a->arenas_released);
		w->last.counts = c;
		w->last.snap.time_ns = clock_realtime_ns();
		w->last.anchored = false;
	}
	trace_remove_target(t, pid);
	w->phase = WATCH_ENDED;
}

static void arena_change(const struct watched *w, const struct moment *from,
			 const struct moment *to, struct report_change *r)
{
	const struct pmt_counts *a = &from->counts.counts, *b = &to->counts.counts;
	const struct malloc_stats *sa = &from->snap.stats, *sb = &to->snap.stats;

	r->arenas_current = sb->arenas_current;
	if (!w->arena_events && !sb->pymalloc)
		return;
	if (!w->arena_events) {
		r->arenas = SOURCE_STATE;
		r->arenas_taken = sb->arenas_total - sa->arenas_total;
		r->arenas_released = sb->arenas_reclaimed - sa->arenas_reclaimed;
		return;
	}
	r->arenas = SOURCE_EVENTS;
	r->arenas_failed = b->arenas_failed - a->arenas_failed;
	r->arenas_taken = b->arenas_taken - a->arenas_taken - r->arenas_failed;
	r->arenas_released = b->arenas_released - a->arenas_released;
	r->chunks_taken = b->chunks_taken - a->chunks_taken;
	r->chunks_released = b->chunks_released - a->chunks_released;
	r->other_taken = b->other_taken - a->other_taken;
	r->other_released = b->other_released - a->other_released;
	/* after its end there is no state to read: the events went on until then */
	if (w->phase == WATCH_ENDED)
		r->arenas_current = w->arenas_at_end;
}

static void pool_change(const struct watched *w, const struct moment *from, const struct moment *to,
			struct report_change *r)
{
	const struct pmt_counts *a = &from->counts.counts, *b = &to->counts.counts;

	if (!w->pool_events && !to->snap.stats.pymalloc)
		return;
	r->pools = w->pool_events ? SOURCE_EVENTS : SOURCE_STATE;
	for (int i = 0; i < STATS_MAX_CLASSES; i++) {
		r->pools_net += (int64_t)(to->snap.stats.classes[i].pools -
					  from->snap.stats.classes[i].pools);
		r->pools_taken_by_class[i] = b->pools_taken[i] - a->pools_taken[i];
		r->pools_taken += r->pools_taken_by_class[i];
	}
	r->pools_other = b->pools_other - a->pools_other;
}

void watch_change(const struct watched *w, const struct moment *from, const struct moment *to,
		  struct report_change *ret)
{
	struct report_change r = {
		.time_ns = to->snap.time_ns,
		.interval_ns = to->snap.time_ns - from->snap.time_ns,
		.total = from == &w->base,
		.pid = w->process.id.pid,
		.before = from->counts.rss_exact,
		.after = to->counts.rss_exact,
	};

	if (from->snap.has_stats && to->snap.has_stats) {
		r.stats_before = &from->snap.stats;
		r.stats_after = &to->snap.stats;
	}
	arena_change(w, from, to, &r);
	pool_change(w, from, to, &r);
	r.health.events_disagreed = to->counts.counts.disagreed - from->counts.counts.disagreed;
	r.health.events_unread = to->counts.counts.unread - from->counts.counts.unread;
	r.health.state_disagreed = w->state_disagreed;
	r.health.read = to->snap.losses;
	*ret = r;
}
