/* SPDX-License-Identifier: MIT */
/*
 * What BPF has counted of function entry and exit: sums, the log, hits.
 */
#include "trace/calls.h"
#include "trace/session.h"

#include "base/cleanup.h"
#include "pymemtrace.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#define BATCH		   256
#define MAX_EVENTS_AT_ONCE 20000 /* of the log; then it is time for whatever else there is */

static const char *const count_texts[] = {
	[PMT_HITS_ENTRY] = "entries",
	[PMT_HITS_EXIT] = "exits",
	[PMT_CALL_REPEATED] = "entries seen twice and counted once",
	[PMT_CALL_STRAY] = "hits of probes at which no call began or ended",
	[PMT_CALL_UNREAD] = "calls whose frame or code could not be read",
	[PMT_CALL_RESET] = "times a thread ran another stack than the one known",
	[PMT_CALL_FULL] = "calls for which a table had no room",
	[PMT_CALL_LOG_LOST] = "events that did not fit the log",
};
_Static_assert(ARRAY_SIZE(count_texts) == PMT_CALL_COUNTS, "a text for each count");

const char *trace_call_count_text(enum pmt_call_count c)
{
	return count_texts[c];
}

int trace_read_call_counts(struct trace *t, uint64_t ret[PMT_CALL_COUNTS])
{
	int err = sum_per_cpu(t->skel->maps.call_counts, ret, PMT_CALL_COUNTS);

	if (!err && t->calls)
		ret[PMT_HITS_ENTRY] -= t->calls->own_hits;
	return err;
}

/* Hands each entry of a hash map to fn, which may delete it. */
typedef void entry_fn(struct trace *t, const void *key, const void *value, void *arg);

static int each_entry(struct trace *t, const struct bpf_map *map, entry_fn *fn, void *arg)
{
	size_t key_size = bpf_map__key_size(map), value_size = bpf_map__value_size(map);
	_cleanup_free_ unsigned char *keys = calloc(BATCH, key_size);
	_cleanup_free_ unsigned char *values = calloc(BATCH, value_size);
	uint32_t batch, n, room = BATCH;
	bool first = true;
	int err = 0;

	if (!keys || !values)
		return -ENOMEM;
	while (!err) {
		n = room;
		err = bpf_map_lookup_batch(bpf_map__fd(map), first ? NULL : &batch, &batch, keys,
					   values, &n, NULL);
		if (err == -ENOSPC) {
			/* one bucket holds more than there was room for */
			unsigned char *more_keys = realloc(keys, 2ul * room * key_size);
			unsigned char *more_values;

			if (more_keys)
				keys = more_keys;
			more_values = realloc(values, 2ul * room * value_size);
			if (more_values)
				values = more_values;
			if (!more_keys || !more_values)
				return -ENOMEM;
			room *= 2;
			err = 0;
			continue;
		}
		if (err < 0 && err != -ENOENT)
			return err;
		first = false;
		for (uint32_t i = 0; i < n; i++)
			fn(t, keys + i * key_size, values + i * value_size, arg);
	}
	return 0;
}

static bool thread_lives(struct trace *t, uint32_t tgid, uint32_t tid)
{
	uint64_t thread = (uint64_t)tgid << 32 | tid;
	struct pmt_call_thread ignored;

	return !bpf_map__lookup_elem(t->skel->maps.call_threads, &thread, sizeof(thread), &ignored,
				     sizeof(ignored), 0);
}

void trace_add_calls(struct trace_call_sum *to, const struct trace_call_sum *s)
{
	to->calls += s->calls;
	to->resumes += s->resumes;
	to->returns += s->returns;
	to->yields += s->yields;
	to->unwinds += s->unwinds;
	to->lost += s->lost;
	to->open += s->open;
	to->growth += s->growth;
	to->shrink += s->shrink;
	to->total += s->total;
	to->largest = max(to->largest, s->largest);
	to->arenas += s->arenas;
	to->pools += s->pools;
	to->self_ns += s->self_ns;
	to->total_ns += s->total_ns;
}

struct read {
	trace_call_fn *each;
	void *ctx;
};

static struct trace_call_sum sum_of(const struct pmt_call_key *key, const struct pmt_call_sum *sum)
{
	return (struct trace_call_sum){
		.tgid = sum->tgid,
		.tid = key->tid,
		.fn = key->fn,
		.calls = sum->calls,
		.resumes = sum->resumes,
		.returns = sum->returns,
		.yields = sum->yields,
		.unwinds = sum->unwinds,
		.lost = sum->lost,
		.open = sum->active,
		.growth = sum->growth,
		.shrink = sum->shrink,
		.total = sum->total,
		.largest = sum->largest == PMT_NO_LARGEST ? INT64_MIN : sum->largest,
		.arenas = sum->arenas,
		.pools = sum->pools,
		.self_ns = sum->self_ns,
		.total_ns = sum->total_ns,
	};
}

/* What an ended thread left is taken out of the map, for the next with its number. */
static void keep_ended(struct trace *t, const struct pmt_call_key *key, uint32_t tgid)
{
	struct {
		uint32_t tgid, fn;
	} of = {tgid, key->fn};
	struct trace_call_sum s;
	struct pmt_call_sum sum;
	struct ended_calls *e;

	HASH_FIND(hh, t->calls->ended, &of, sizeof(of), e);
	if (!e) {
		e = calloc(1, sizeof(*e));
		if (!e)
			return; /* it stays in the map */
		e->key.tgid = tgid;
		e->key.fn = key->fn;
		e->sum = (struct trace_call_sum){.tgid = tgid, .fn = key->fn, .largest = INT64_MIN};
		HASH_ADD(hh, t->calls->ended, key, sizeof(e->key), e);
	}
	/* as it is now: what was read before is not what it was when its thread ended */
	if (bpf_map_lookup_and_delete_elem(bpf_map__fd(t->skel->maps.calls), key, &sum))
		return;
	s = sum_of(key, &sum);
	trace_add_calls(&e->sum, &s);
}

static void on_sum(struct trace *t, const void *key, const void *value, void *arg)
{
	struct trace_call_sum s = sum_of(key, value);
	const struct read *r = arg;

	/* no thread is known to live that was not asked for: what it did goes on */
	if (thread_lives(t, s.tgid, s.tid) || (t->skel->rodata->cfg_tids && !s.fn))
		r->each(r->ctx, &s);
	else
		keep_ended(t, key, s.tgid);
}

struct open_read {
	uint64_t thread; /* whose */
	const struct pmt_call_thread *t;
	const struct read *read;
};

/*
 * What open calls have had so far: the outermost of each function, from the bottom of the shadow stack
 * up. A thread that goes on meanwhile changes it under our eyes, by a call or two.
 */
static void add_open(struct trace *t, const void *k, const void *v, void *arg)
{
	const uint64_t *thread = k;
	const struct pmt_call_thread *of = v;
	const struct read *r = arg;
	uint32_t *seen = NULL;
	size_t nr = 0, room = 0;

	for (uint32_t depth = 0; depth < of->depth; depth++) {
		struct pmt_open_key key = {.tid = (uint32_t)*thread, .depth = depth};
		struct trace_call_sum s = {
			.tgid = *thread >> 32, .tid = (uint32_t)*thread, .largest = INT64_MIN};
		struct pmt_open_call o;
		bool again = false;

		if (bpf_map__lookup_elem(t->skel->maps.opened, &key, sizeof(key), &o, sizeof(o), 0))
			break;
		for (size_t i = 0; i < nr && !again; i++)
			again = seen[i] == o.fn;
		if (!(o.flags & PMT_OPEN_SHOWN) || again)
			continue;
		if (nr == room) {
			uint32_t *more = reallocarray(seen, room * 2 + 64, sizeof(*more));

			if (!more)
				break;
			seen = more;
			room = room * 2 + 64;
		}
		seen[nr++] = o.fn;
		s.fn = o.fn;
		s.total = of->net - o.net;
		r->each(r->ctx, &s);
	}
	free(seen);
}

int trace_read_calls(struct trace *t, trace_call_fn *each, void *ctx)
{
	struct read r = {.each = each, .ctx = ctx};
	struct ended_calls *e, *next;
	int err;

	if (!t->calls)
		return 0;
	err = each_entry(t, t->skel->maps.calls, on_sum, &r);
	if (!err)
		err = each_entry(t, t->skel->maps.call_threads, add_open, &r);
	HASH_ITER(hh, t->calls->ended, e, next)
	each(ctx, &e->sum);
	return err;
}

int trace_log_fd(const struct trace *t)
{
	return t->calls && t->calls->log ? ring_buffer__epoll_fd(t->calls->log) : -1;
}

int trace_read_log(struct trace *t, trace_log_fn *each, void *ctx)
{
	int err;

	if (!t->calls || !t->calls->log)
		return 0;
	t->calls->each = each;
	t->calls->ctx = ctx;
	t->calls->left = MAX_EVENTS_AT_ONCE;
	err = ring_buffer__consume(t->calls->log);
	t->calls->each = NULL;
	if (err == -ECANCELED)
		return 1;
	return err < 0 ? err : 0;
}

struct last_read {
	trace_log_fn *each;
	void *ctx;
};

static void on_last(struct trace *t, const void *k, const void *v, void *arg)
{
	const uint64_t *thread = k;
	const struct pmt_call_thread *of = v;
	const struct last_read *r = arg;
	struct pmt_call_rec rec = {
		.tgid = *thread >> 32, .tid = (uint32_t)*thread, .event = of->last};

	(void)t;
	memcpy(rec.comm, of->comm, sizeof(rec.comm));
	if (of->nr_events)
		r->each(r->ctx, &rec);
}

int trace_read_last_events(struct trace *t, trace_log_fn *each, void *ctx)
{
	struct last_read r = {.each = each, .ctx = ctx};

	return t->calls ? each_entry(t, t->skel->maps.call_threads, on_last, &r) : 0;
}
