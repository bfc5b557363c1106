/* SPDX-License-Identifier: MIT */
/* Entry and exit of functions: what each did in each thread, until it goes to a table. */
#include "cmd/collect_internal.h"

#include "base/cleanup.h"
#include "model/calls.h"
#include "python/python.h"

#include <errno.h>
#include <string.h>

void collect_calls_of(struct python *p, struct pmt_calls *ret)
{
	struct python_call_info info;
	int err = python_call_info(p, &info, NULL);

	if (err && err != -EAGAIN) /* all but the holder's address is known */
		return;
	*ret = (struct pmt_calls){
		.on = 1,
		.holder_addr = info.holder_addr,
		.shims_start = info.shims_start,
		.shims_end = info.shims_end,
		.frame_arg = info.frame_arg,
		.clears = info.clears,
	};
	_Static_assert(sizeof(ret->ops) == sizeof(info.ops), "an entry for each opcode");
	memcpy(ret->ops, info.ops, sizeof(ret->ops));
}

/* Each is told as it stands, in several parts. */
static void on_calls(void *ctx, const struct trace_call_sum *s)
{
	struct collector *c = ctx;
	struct followed *f = collect_find(c, s->tgid);
	const uint32_t key[2] = {s->tid, s->fn};
	struct call_sum *sum;

	if (!f)
		return;
	HASH_FIND(hh, f->calls, key, sizeof(key), sum);
	if (sum) {
		trace_add_calls(&sum->sum, s);
		return;
	}
	sum = calloc(1, sizeof(*sum));
	if (!sum) {
		c->failed = true;
		return;
	}
	memcpy(&sum->key, key, sizeof(key));
	sum->sum = *s;
	HASH_ADD(hh, f->calls, key, sizeof(sum->key), sum);
}

void collect_read_calls(struct collector *c)
{
	if (!c->calls)
		return;
	for (struct followed *f = c->followed; f; f = f->hh.next)
		collect_free_calls(f);
	trace_read_calls(c->trace, on_calls, c);
}

void collect_free_calls(struct followed *f)
{
	struct call_sum *sum, *next;

	HASH_ITER(hh, f->calls, sum, next)
	{
		HASH_DEL(f->calls, sum);
		free(sum);
	}
}

static struct code *find_code(struct collector *c, uint32_t tgid, uint32_t id)
{
	struct followed *f = collect_find(c, tgid);
	struct code *code = NULL;

	if (f)
		HASH_FIND(hh, f->codes, &id, sizeof(id), code);
	return code;
}

const struct profile_function *collector_function(struct collector *c, uint32_t tgid, uint32_t id)
{
	const struct code *code = find_code(c, tgid, id);

	return code ? &c->total->functions[code->function] : NULL;
}

int32_t collector_line(struct collector *c, uint32_t tgid, uint32_t id, int32_t lasti)
{
	const struct code *code = find_code(c, tgid, id);

	return code ? collect_line(code, lasti) : 0;
}

uint32_t collector_tgid(struct collector *c, pid_t pid)
{
	const struct followed *f = collect_find_pid(c, pid);

	return f ? f->tgid : 0;
}

pid_t collector_pid(struct collector *c, uint32_t tgid)
{
	const struct followed *f = collect_find(c, tgid);

	return f ? f->pid : 0;
}

const struct process *collector_process(struct collector *c, uint32_t tgid)
{
	return collect_memory_of(c, collect_find(c, tgid));
}

static int take_function(struct collector *c, const struct followed *f, const struct call_sum *sum,
			 struct calls *to)
{
	const struct profile_function *function = collector_function(c, f->tgid, sum->key.fn);
	const struct trace_call_sum *s = &sum->sum;
	struct call_function row = {.pid = f->pid};

	if (function) {
		row.name = function->name;
		row.file = function->file;
		row.first_line = function->first_line;
	}
	row.calls = s->calls;
	row.resumes = s->resumes;
	row.returns = s->returns;
	row.yields = s->yields;
	row.unwinds = s->unwinds;
	row.lost = s->lost;
	row.open = s->open;
	row.growth = (int64_t)s->growth;
	row.shrink = (int64_t)s->shrink;
	row.total = s->total;
	row.largest = s->largest;
	row.arenas = s->arenas;
	row.pools = s->pools;
	row.self_ns = s->self_ns;
	row.total_ns = s->total_ns;
	return calls_add_function(to, &row);
}

int collector_take_calls(struct collector *c, pid_t pid, struct calls *to,
			 struct profile_change *ret_outside)
{
	struct followed *f = collect_find_pid(c, pid);
	struct profile_change outside = {0};
	int err = 0;

	for (struct call_sum *sum = f ? f->calls : NULL; sum && !err; sum = sum->hh.next) {
		if (sum->key.fn) {
			err = take_function(c, f, sum, to);
			continue;
		}
		outside.growth += (int64_t)(sum->sum.growth);
		outside.shrink += (int64_t)(sum->sum.shrink);
	}
	if (f)
		collect_free_calls(f);
	*ret_outside = outside;
	return err;
}
