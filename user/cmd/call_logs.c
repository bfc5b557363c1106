/* SPDX-License-Identifier: MIT */
#include "cmd/call_logs.h"

#include "base/cleanup.h"
#include "base/hash.h"
#include "cmd/cmd.h"
#include "cmd/collect.h"
#include "cmd/process.h"
#include "output/call_log.h"
#include "python/python.h"
#include "trace/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_READS 32	/* of 20,000 events: more than the ring has room for */
#define MAX_LOGS  16384 /* open at once: 5 KiB each */

struct thread_log {
	struct {
		uint32_t tgid, tid;
	} key;
	struct call_log *log;
	uint64_t next; /* event, if none is left out */
	bool dirty;
	UT_hash_handle hh;
};

void call_logs_init(struct call_logs *l, const struct options *o, struct trace *t,
		    struct collector *names)
{
	*l = (struct call_logs){.o = o, .trace = t, .names = names};
}

/* The first failure counts. */
static void check(struct call_logs *l, int err, const struct fault *f)
{
	if (!err || l->failed)
		return;
	l->failed = true;
	l->why = *f;
}

static void forget(struct call_logs *l, struct thread_log *t)
{
	HASH_DEL(l->threads, t);
	free(t);
}

static struct thread_log *find(struct call_logs *l, const struct pmt_call_rec *r)
{
	const uint32_t key[2] = {r->tgid, r->tid};
	struct thread_log *t;

	HASH_FIND(hh, l->threads, key, sizeof(key), t);
	return t;
}

static int begin(struct call_logs *l, const struct pmt_call_rec *r, struct thread_log *t,
		 struct fault *f)
{
	const struct process *process = collector_process(l->names, r->tgid);
	pid_t pid = collector_pid(l->names, r->tgid);
	char version[24];
	struct call_log_id id = {
		.time = time(NULL),
		.ordinal = l->nr++,
		.pid = pid ? pid : (pid_t)r->tgid,
		.tid = (pid_t)r->tid,
		.version = python_version_text(
			version, process ? python_id(process->python)->version_hex : 0),
	};

	return call_log_new(&t->log, l->o->calls.log,
			    format_is(l->o, "json") ? CALL_LOG_JSON : CALL_LOG_TEXT, &id, f);
}

static struct thread_log *add(struct call_logs *l, const struct pmt_call_rec *r)
{
	struct thread_log *t;
	struct fault f = {0};
	int err;

	if (HASH_COUNT(l->threads) >= MAX_LOGS) {
		l->not_written++;
		return NULL;
	}
	t = calloc(1, sizeof(*t));
	err = t ? begin(l, r, t, &f) : fault_errno(&f, ENOMEM, "cannot write a log");
	if (err) {
		check(l, err, &f);
		free(t);
		return NULL;
	}
	t->key.tgid = r->tgid;
	t->key.tid = r->tid;
	t->next = r->event.nr;
	HASH_ADD(hh, l->threads, key, sizeof(t->key), t);
	return t;
}

/* A code object's record comes before the first event that has it, but by another ring. */
static struct call_log_event event_of(struct call_logs *l, const struct pmt_call_rec *r)
{
	const struct profile_function *f = collector_function(l->names, r->tgid, r->event.fn);

	if (!f) {
		collector_drain(l->names);
		f = collector_function(l->names, r->tgid, r->event.fn);
	}
	return (struct call_log_event){
		.nr = r->event.nr,
		.cpu_ns = (int64_t)r->event.cpu_ns,
		.returns = (r->event.what & ~PMT_THREAD_END) == PMT_RETURN,
		.function = f ? call_log_plain_name(f->name) : "",
		.file = f ? f->file : "",
		.line = collector_line(l->names, r->tgid, r->event.fn, r->event.lasti),
		.rss = r->event.rss,
	};
}

/* LAST and EOF; event NULL: LAST is the newest that was written. */
static void end(struct call_logs *l, struct thread_log *t, const struct pmt_call_rec *r)
{
	struct call_log_event e;
	struct fault f = {0};

	if (r)
		e = event_of(l, r);
	check(l, call_log_last(t->log, r ? &e : NULL, &f), &f);
	forget(l, t);
}

/* With --threshold 0 nothing is left out but what was lost. */
static int say_lost(struct call_logs *l, struct thread_log *t, uint64_t nr, struct fault *f)
{
	char text[64];

	if (l->o->calls.threshold || nr <= t->next)
		return 0;
	snprintf(text, sizeof(text), "%" PRIu64 " events were lost", nr - t->next);
	return call_log_message(t->log, text, f);
}

static void on_event(void *ctx, const struct pmt_call_rec *r)
{
	struct call_logs *l = ctx;
	struct thread_log *t = find(l, r);
	struct call_log_event e;
	struct fault f = {0};
	int err;

	if (l->failed)
		return;
	if (r->event.what & PMT_THREAD_END) {
		if (t)
			end(l, t, r);
		return;
	}
	/* a thread's number is another's by now, and the end of the first was lost */
	if (t && r->event.nr < t->next) {
		end(l, t, NULL);
		t = NULL;
	}
	if (!t)
		t = add(l, r);
	if (!t)
		return;
	e = event_of(l, r);
	err = say_lost(l, t, r->event.nr, &f);
	if (!err)
		err = call_log_write(t->log, &e, &f);
	check(l, err, &f);
	t->next = r->event.nr + 1;
	t->dirty = true;
}

bool call_logs_read(struct call_logs *l)
{
	collector_drain(l->names);
	return trace_read_log(l->trace, on_event, l) > 0;
}

void call_logs_flush(struct call_logs *l)
{
	struct fault f = {0};

	for (struct thread_log *t = l->threads; t && !l->failed; t = t->hh.next) {
		if (t->dirty)
			check(l, call_log_flush(t->log, &f), &f);
		t->dirty = false;
	}
}

struct ending {
	struct call_logs *logs;
	uint32_t tgid; /* 0: all */
};

static void on_last(void *ctx, const struct pmt_call_rec *r)
{
	const struct ending *of = ctx;
	struct thread_log *t = find(of->logs, r);

	if (t && (!of->tgid || of->tgid == r->tgid))
		end(of->logs, t, r);
}

void call_logs_end(struct call_logs *l, uint32_t tgid)
{
	struct ending of = {.logs = l, .tgid = tgid};
	struct thread_log *t, *next;

	/* no more than the ring held when it was over: others may go on */
	for (int i = 0; i < MAX_READS && call_logs_read(l); i++)
		;
	trace_read_last_events(l->trace, on_last, &of);
	HASH_ITER(hh, l->threads, t, next)
	{
		if (!tgid || t->key.tgid == tgid)
			end(l, t, NULL);
	}
}

void call_logs_done(struct call_logs *l)
{
	struct thread_log *t, *next;

	HASH_ITER(hh, l->threads, t, next)
	{
		call_log_free(t->log);
		forget(l, t);
	}
}
