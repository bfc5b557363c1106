/* SPDX-License-Identifier: MIT */
/*
 * Stacks: what BPF says of code objects and stacks as it meets them, and the sums.
 */
#include "trace/features.h"
#include "trace/session.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "pymemtrace.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#define RING_BYTES	(4u << 20) /* 2,000 code objects with their names and line tables */
#define CODES_PER_STACK 2
#define BATCH		256
#define MAX_STACKS	(1u << 20)
#define MAX_CALLS	(1u << 12) /* threads in a system call that is watched */
#define MAX_FAULTS	(1u << 16) /* threads with a page fault, now or before */

void stacks_configure(struct trace *t)
{
	const struct trace_options *o = &t->options;
	uint32_t wanted = max(o->max_stacks, 1u), stacks = min(wanted, MAX_STACKS);

	t->skel->rodata->cfg_stacks = o->stack_events;
	t->skel->rodata->cfg_step_shift = o->step_shift;
	t->skel->rodata->cfg_seed = (uint64_t)clock_monotonic_ns();
	if (!o->stack_events && !o->calls)
		return;
	bpf_map__set_max_entries(t->skel->maps.sums, stacks);
	bpf_map__set_max_entries(t->skel->maps.codes, stacks * CODES_PER_STACK);
	bpf_map__set_max_entries(t->skel->maps.stack_events, RING_BYTES);
	if (o->stack_events & PMT_FAULT_EVENTS)
		bpf_map__set_max_entries(t->skel->maps.faults, MAX_FAULTS);
	if (o->stack_events & PMT_ENTER_EVENTS)
		bpf_map__set_max_entries(t->skel->maps.begun_calls, MAX_CALLS);
}

/* A record of the ring, checked: BPF wrote it, but its length is what was sent. */
static int on_record(void *ctx, void *record, size_t size)
{
	struct trace *t = ctx;
	const struct pmt_code_rec *code = record;
	const struct pmt_stack_rec *stack = record;
	const struct pmt_arena_rec *arena = record;
	const struct pmt_child_rec *child = record;
	const size_t head = offsetof(struct pmt_stack_rec, frames);

	if (size >= sizeof(*code) && code->type == PMT_REC_CODE)
		t->sink->code(t->sink->ctx, code);
	else if (size >= head && stack->type == PMT_REC_STACK && stack->nr <= PMT_MAX_FRAMES &&
		 size >= head + stack->nr * sizeof(stack->frames[0]))
		t->sink->stack(t->sink->ctx, stack);
	else if (size >= sizeof(*arena) && arena->type == PMT_REC_ARENA)
		t->sink->arena(t->sink->ctx, arena);
	else if (size >= sizeof(*child) && child->type == PMT_REC_CHILD)
		t->sink->child(t->sink->ctx, child);
	return 0;
}

int stacks_open(struct trace *t, struct fault *f)
{
	t->stack_ring =
		ring_buffer__new(bpf_map__fd(t->skel->maps.stack_events), on_record, t, NULL);
	if (!t->stack_ring)
		return fault_errno(f, errno, "cannot open the BPF ring buffer of stacks");
	return 0;
}

void stacks_close(struct trace *t)
{
	ring_buffer__free(t->stack_ring);
	t->stack_ring = NULL;
}

int trace_stack_fd(const struct trace *t)
{
	return t->stack_ring ? ring_buffer__epoll_fd(t->stack_ring) : -1;
}

int trace_read_stacks(struct trace *t, const struct trace_sink *sink)
{
	int err;

	if (!t->stack_ring)
		return 0;
	t->sink = sink;
	err = ring_buffer__consume(t->stack_ring);
	t->sink = NULL;
	return err < 0 ? err : 0;
}

int trace_set_walk(struct trace *t, pid_t pid, const struct pmt_walk *w, struct fault *f)
{
	uint32_t tgid = resolve_tgid(t, pid);
	int err = tgid ? bpf_map__update_elem(t->skel->maps.walks, &tgid, sizeof(tgid), w,
					      sizeof(*w), BPF_ANY)
		       : -ESRCH;

	if (err)
		return fault_errno(f, -err, "cannot follow the stacks of process %d", (int)pid);
	return 0;
}

uint32_t trace_tgid(struct trace *t, pid_t pid)
{
	return resolve_tgid(t, pid);
}

bool trace_can_walk(void)
{
	return feature_has(FEATURE_STACK_WALK, NULL);
}

void trace_stop(struct trace *t)
{
	t->skel->bss->stopped = 1;
}

int trace_read_sums(struct trace *t, trace_sum_fn *each, void *ctx)
{
	_cleanup_free_ struct pmt_sum_key *keys = calloc(BATCH, sizeof(*keys));
	_cleanup_free_ struct pmt_sum *sums = calloc(BATCH, sizeof(*sums));
	int64_t to_realtime = clock_realtime_ns() - clock_monotonic_ns();
	int fd = bpf_map__fd(t->skel->maps.sums), err = 0;
	uint32_t batch, n;
	bool first = true;

	if (!keys || !sums)
		return -ENOMEM;
	while (!err) {
		n = BATCH;
		err = bpf_map_lookup_batch(fd, first ? NULL : &batch, &batch, keys, sums, &n, NULL);
		if (err < 0 && err != -ENOENT)
			return err;
		first = false;
		for (uint32_t i = 0; i < n; i++) {
			struct trace_sum s = {
				.stack = keys[i].stack,
				.tgid = keys[i].tgid,
				.tid = keys[i].tid,
				.event = keys[i].event,
				.memory = keys[i].memory,
				.change = sums[i].change,
				.first_ns = (int64_t)sums[i].first_ns + to_realtime,
				.last_ns = (int64_t)sums[i].last_ns + to_realtime,
			};

			memcpy(s.comm, sums[i].comm, sizeof(s.comm) - 1);
			each(ctx, &s);
		}
	}
	return 0;
}

/* Both kinds of keys have their tgid at the place given. */
static void drop_keys(const struct bpf_map *map, size_t key_size, size_t tgid_at, uint32_t tgid)
{
	_cleanup_free_ unsigned char *keys = calloc(BATCH, key_size);
	size_t value_size = bpf_map__value_size(map);
	_cleanup_free_ void *values = calloc(BATCH, value_size);
	int fd = bpf_map__fd(map), err = 0;
	uint32_t batch, n, of;
	bool first = true;

	while (keys && values && !err) {
		n = BATCH;
		err = bpf_map_lookup_batch(fd, first ? NULL : &batch, &batch, keys, values, &n,
					   NULL);
		if (err < 0 && err != -ENOENT)
			return;
		first = false;
		for (uint32_t i = 0; i < n; i++) {
			memcpy(&of, keys + i * key_size + tgid_at, sizeof(of));
			if (of == tgid)
				bpf_map_delete_elem(fd, keys + i * key_size);
		}
	}
}

void trace_drop_stacks(struct trace *t, uint32_t tgid)
{
	drop_keys(t->skel->maps.sums, sizeof(struct pmt_sum_key),
		  offsetof(struct pmt_sum_key, tgid), tgid);
	drop_keys(t->skel->maps.codes, sizeof(struct pmt_code_key),
		  offsetof(struct pmt_code_key, tgid), tgid);
}
