/* SPDX-License-Identifier: MIT */
#include "cmd/collect_internal.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/text.h"
#include "base/version.h"
#include "cmd/process.h"
#include "python/python.h"
#include "target/target.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#define MAX_FOLLOWED 16384 /* children that nobody watches among them */

static struct profile *new_profile(const struct collector *c)
{
	struct profile *p = profile_new();

	if (!p)
		return NULL;
	p->exact = !c->step_shift;
	p->step_pages = 1u << c->step_shift;
	p->batched = trace_rss_is_batched(c->trace);
	p->begin_ns = p->end_ns = clock_realtime_ns();
	p->events = c->events;
	return p;
}

struct collector *collector_new(struct trace *t, unsigned int events, unsigned int step_shift,
				bool shares)
{
	struct collector *c = calloc(1, sizeof(*c));
	struct utsname u;

	if (!c)
		return NULL;
	c->trace = t;
	c->events = events;
	c->shares = shares;
	c->step_shift = step_shift;
	c->total = new_profile(c);
	if (!c->total) {
		free(c);
		return NULL;
	}
	text_replace(&c->total->program, PROGRAM_VERSION);
	if (!uname(&u)) {
		char host[sizeof(u)];

		snprintf(host, sizeof(host), "%s %s %s, %s", u.sysname, u.release, u.machine,
			 u.nodename);
		text_replace(&c->total->host, host);
	}
	return c;
}

void collector_want_calls(struct collector *c)
{
	c->calls = true;
}

static void followed_free(struct followed *f)
{
	struct code *code, *next_code;
	struct stack *stack, *next_stack;
	struct sum *sum, *next_sum;

	HASH_ITER(hh, f->codes, code, next_code)
	{
		HASH_DEL(f->codes, code);
		free(code->table);
		free(code);
	}
	HASH_ITER(hh, f->stacks, stack, next_stack)
	{
		HASH_DEL(f->stacks, stack);
		free(stack);
	}
	HASH_ITER(hh, f->sums, sum, next_sum)
	{
		HASH_DEL(f->sums, sum);
		free(sum);
	}
	collect_free_calls(f);
	maps_done(&f->maps);
	profile_free(f->fresh);
	profile_free(f->since);
	free(f);
}

/* tgid 0: all */
static void openings_free(struct collector *c, uint32_t tgid)
{
	struct opening *o, *next;

	HASH_ITER(hh, c->openings, o, next)
	{
		if (tgid && o->key.tgid != tgid)
			continue;
		HASH_DEL(c->openings, o);
		free(o);
	}
}

void collector_free(struct collector *c)
{
	struct followed *f, *next;

	if (!c)
		return;
	openings_free(c, 0);
	HASH_ITER(hh, c->followed, f, next)
	{
		HASH_DEL(c->followed, f);
		followed_free(f);
	}
	profile_free(c->total);
	free(c);
}

struct followed *collect_find(struct collector *c, uint32_t tgid)
{
	struct followed *f;

	HASH_FIND(hh, c->followed, &tgid, sizeof(tgid), f);
	return f;
}

struct followed *collect_find_pid(struct collector *c, pid_t pid)
{
	for (struct followed *f = c->followed; f; f = f->hh.next)
		if (f->pid == pid)
			return f;
	return NULL;
}

static struct pmt_walk walk_of(const struct python_walk_info *info)
{
	const struct py_layout *l = info->layout;
	const uint32_t frame[] = {l->frame_previous, l->frame_code,  l->frame_instr,
				  l->frame_lasti,    l->frame_state, l->frame_stacktop,
				  l->frame_owner};
	const uint32_t code[] = {l->object_type, l->code_firstlineno, l->code_filename,
				 l->code_name, l->code_linetable};
	struct pmt_walk w = {
		.current_addr = info->tstate_current,
		.interp_head_addr = info->interpreters_head,
		.interp_addr = info->interp,
		.code_type = info->code_type,
		.layout = *l,
	};

	for (size_t i = 0; i < ARRAY_SIZE(frame); i++)
		if (frame[i] != PY_NONE)
			w.frame_bytes = max(w.frame_bytes, frame[i] / 8 * 8 + 8);
	for (size_t i = 0; i < ARRAY_SIZE(code); i++)
		w.code_bytes = max(w.code_bytes, code[i] / 8 * 8 + 8);
	for (uint32_t i = 0; i < info->nr_text && i < PMT_TEXT_RANGES; i++) {
		w.text_start[i] = info->text[i].start;
		w.text_end[i] = info->text[i].end;
	}
	return w;
}

int collector_follow(struct collector *c, struct process *p, struct fault *f)
{
	pid_t pid = p->target->pid;
	uint32_t tgid = trace_tgid(c->trace, pid);
	struct followed *of = collect_find(c, tgid);
	struct python_walk_info info;
	struct pmt_walk walk;
	int err;

	if (!tgid)
		return fault_set(f, ESRCH, "no process %d", (int)pid);
	if (!of) {
		of = calloc(1, sizeof(*of));
		if (!of)
			return fault_errno(f, ENOMEM, "stacks of process %d", (int)pid);
		of->tgid = tgid;
		HASH_ADD(hh, c->followed, tgid, sizeof(of->tgid), of);
	}
	of->pid = pid;
	of->process = p;
	if (!p->python)
		return -ENOTSUP;
	err = python_walk_info(p->python, &info, f);
	/* it is still starting, and its first frames are imports: all but what it will have is known */
	if (err && !(err == -EAGAIN && info.interpreters_head))
		return err;
	of->format = info.line_format;
	of->lasti_unit = info.lasti_unit;
	walk = walk_of(&info);
	if (c->calls)
		collect_calls_of(p->python, &walk.calls);
	return trace_set_walk(c->trace, pid, &walk, f);
}

void collector_forget(struct collector *c, pid_t pid)
{
	struct followed *f = collect_find_pid(c, pid);

	if (!f)
		return;
	collector_drain(c); /* while its records can still be completed from memory */
	f->process = NULL;
	f->parent = 0;
	maps_done(&f->maps);
	f->has_maps = false;
}

void collector_hear(struct collector *c, pid_t pid)
{
	struct followed *f = collect_find_pid(c, pid);

	if (f)
		f->heard = true;
}

int collector_adopt(struct collector *c, uint32_t tgid, pid_t pid, pid_t *ret_parent)
{
	struct followed *f = collect_find(c, tgid);

	if (!f || !f->parent)
		return -ESRCH;
	f->pid = pid;
	f->heard = true;
	*ret_parent = f->parent_pid;
	return 0;
}

void collector_drop(struct collector *c, uint32_t tgid)
{
	struct followed *f = collect_find(c, tgid);

	if (!f)
		return;
	if (f->codes)
		trace_drop_stacks(c->trace, f->tgid);
	openings_free(c, f->tgid);
	HASH_DEL(c->followed, f);
	followed_free(f);
}

static void on_arena(void *ctx, const struct pmt_arena_rec *r)
{
	struct collector *c = ctx;
	const struct followed *f = collect_find(c, r->tgid);
	struct profile_thread thread = {.pid = f ? f->pid : 0, .tid = (pid_t)r->tid};
	const uint64_t key[2] = {r->address, r->tgid};
	struct opening *o;

	HASH_FIND(hh, c->openings, key, sizeof(key), o);
	if (!o) {
		o = calloc(1, sizeof(*o));
		if (!o) {
			c->failed = true;
			return;
		}
		memcpy(&o->key, key, sizeof(key));
		HASH_ADD(hh, c->openings, key, sizeof(o->key), o);
	}
	memcpy(thread.comm, r->comm, sizeof(thread.comm) - 1);
	if (profile_add_thread(c->total, &thread, &o->thread))
		o->thread = PROFILE_NONE;
	o->stack = r->stack;
	o->time_ns = (int64_t)r->time_ns + clock_realtime_ns() - clock_monotonic_ns();
}

/* Until collector_follow, which needs its /proc, it is read as its parent is. */
static void on_child(void *ctx, const struct pmt_child_rec *r)
{
	struct collector *c = ctx;
	const struct followed *parent = collect_find(c, r->parent);
	struct followed *f = collect_find(c, r->tgid);

	if (!parent || (!f && HASH_COUNT(c->followed) >= MAX_FOLLOWED))
		return;
	if (!f) {
		f = calloc(1, sizeof(*f));
		if (!f) {
			c->failed = true;
			return;
		}
		f->tgid = r->tgid;
		HASH_ADD(hh, c->followed, tgid, sizeof(f->tgid), f);
	}
	f->parent = r->parent;
	f->parent_pid = parent->pid ? parent->pid : parent->parent_pid;
	f->format = parent->format;
	f->lasti_unit = parent->lasti_unit;
}

int collector_add_arena(struct collector *c, struct profile_arena *a)
{
	const struct followed *f = collect_find_pid(c, a->pid);
	const uint64_t key[2] = {a->address, f ? f->tgid : 0};
	struct opening *o;
	struct stack *s;

	a->stack = a->thread = PROFILE_NONE;
	a->opened_ns = 0;
	HASH_FIND(hh, c->openings, key, sizeof(key), o);
	if (f && o) {
		HASH_FIND(hh, f->stacks, &o->stack, sizeof(o->stack), s);
		a->stack = s ? s->at : PROFILE_NONE;
		a->thread = o->thread;
		a->opened_ns = o->time_ns;
	}
	return profile_add_arena(c->total, a);
}

void collector_drain(struct collector *c)
{
	const struct trace_sink sink = {.code = collect_code,
					.stack = collect_stack,
					.arena = on_arena,
					.child = on_child,
					.ctx = c};

	trace_read_stacks(c->trace, &sink);
}

static struct sum *find_sum(struct followed *f, const struct trace_sum *s)
{
	const struct sum_key key = {
		.stack = s->stack,
		.tid = s->tid,
		.event = s->event,
		.memory = s->memory,
	};
	struct sum *sum;

	HASH_FIND(hh, f->sums, &key, sizeof(key), sum);
	if (sum)
		return sum;
	sum = calloc(1, sizeof(*sum));
	if (!sum)
		return NULL;
	sum->key = key;
	HASH_ADD(hh, f->sums, key, sizeof(sum->key), sum);
	return sum;
}

static int add_share(struct collector *c, struct profile **share, const struct profile_row *row)
{
	if (!*share)
		*share = new_profile(c);
	return *share ? profile_copy_row(*share, c->total, row) : -ENOMEM;
}

/* What is new of one sum, to the total or to its process's share. */
static void on_sum(void *ctx, const struct trace_sum *s)
{
	struct collector *c = ctx;
	struct followed *f = collect_find(c, s->tgid);
	/* of shares nobody asks for threads: one for each process will do */
	struct profile_thread thread = {.tid = c->shares ? 0 : (pid_t)s->tid};
	struct profile_row row = {
		.event = (enum profile_event)s->event,
		.memory = (enum profile_memory)s->memory,
		.first_ns = s->first_ns,
		.last_ns = s->last_ns,
	};
	struct stack *stack;
	struct sum *sum;

	if (!f || !f->pid || !(f->heard || c->shares))
		return;
	HASH_FIND(hh, f->stacks, &s->stack, sizeof(s->stack), stack);
	sum = stack ? find_sum(f, s) : NULL;
	if (!sum)
		return; /* its record is on its way: the next time, or unexplained */
	row.change = (struct profile_change){
		.growth = (int64_t)(s->change.growth - sum->change.growth),
		.shrink = (int64_t)(s->change.shrink - sum->change.shrink),
		.events = s->change.events - sum->change.events,
	};
	if (!row.change.growth && !row.change.shrink && !row.change.events)
		return;
	sum->change = s->change;
	thread.pid = f->pid;
	if (!c->shares)
		memcpy(thread.comm, s->comm, sizeof(thread.comm));
	row.stack = stack->at;
	if (profile_add_thread(c->total, &thread, &row.thread))
		c->failed = true;
	else if (!c->shares && profile_add_row(c->total, &row))
		c->failed = true;
	else if (c->shares && (add_share(c, &f->fresh, &row) || add_share(c, &f->since, &row)))
		c->failed = true;
}

void collector_update(struct collector *c)
{
	collector_drain(c);
	trace_read_sums(c->trace, on_sum, c);
	collect_read_calls(c);
	c->total->end_ns = clock_realtime_ns();
}

bool collector_failed(const struct collector *c)
{
	return c->failed;
}

struct profile *collector_total(struct collector *c)
{
	return c->total;
}

struct profile *collector_take(struct collector *c, pid_t pid)
{
	struct followed *f = collect_find_pid(c, pid);
	struct profile *p = f && f->fresh ? f->fresh : new_profile(c);

	if (f)
		f->fresh = NULL;
	return p;
}

struct profile *collector_of(struct collector *c, pid_t pid)
{
	struct followed *f = collect_find_pid(c, pid);

	if (f && !f->since)
		f->since = new_profile(c);
	return f ? f->since : NULL;
}

void collector_rebase(struct collector *c, pid_t pid)
{
	struct followed *f = collect_find_pid(c, pid);

	if (!f)
		return;
	profile_free(f->fresh);
	profile_free(f->since);
	f->fresh = f->since = NULL;
}
