/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What several event sources need: finding the target, making an mm known, records, losses.
 */
#ifndef PMT_COMMON_BPF_H
#define PMT_COMMON_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "maps.bpf.h"
#include "compat.bpf.h"

#define MAX_PID_NS_LEVEL 32 /* include/linux/pid_namespace.h */

static __always_inline void count_loss(__u32 kind)
{
	__u64 *n = bpf_map_lookup_elem(&losses, &kind);

	if (n)
		*n += 1;
}

static __always_inline void add_one(__u64 *n)
{
	__sync_fetch_and_add(n, 1);
}

static __always_inline __u32 current_tgid(void)
{
	return bpf_get_current_pid_tgid() >> 32;
}

/*
 * The process's PID in the tool's namespace, 0 if it has none there. A task's struct pid has one
 * number per namespace level, from the initial one down.
 */
static __always_inline __u32 ns_tgid_of(struct task_struct *task)
{
	const struct pid *pid = BPF_CORE_READ(task, group_leader, thread_pid);
	__u32 level;

	if (!pid)
		return 0;
	level = BPF_CORE_READ(pid, level);
	for (__u32 i = 0; i <= MAX_PID_NS_LEVEL && i <= level; i++) {
		const void *numbers = __builtin_preserve_access_index(&pid->numbers);
		const struct upid *number = numbers + i * bpf_core_type_size(struct upid);

		if (BPF_CORE_READ(number, ns, ns.inum) == cfg_pid_ns)
			return BPF_CORE_READ(number, nr);
	}
	return 0;
}

/* One record for user space; parent may be NULL. */
static __always_inline void report(__u32 type, struct task_struct *task, struct task_struct *parent,
				   __s32 status)
{
	struct pmt_rec *r;

	if (!cfg_report)
		return;
	r = bpf_ringbuf_reserve(&events, sizeof(*r), 0);
	if (!r) {
		count_loss(PMT_LOSS_RING);
		return;
	}
	r->type = type;
	r->tgid = task->tgid;
	r->ns_tgid = ns_tgid_of(task);
	r->parent = parent ? parent->tgid : 0;
	r->ns_parent = parent ? ns_tgid_of(parent) : 0;
	r->status = status;
	bpf_ringbuf_submit(r, 0);
}

static __always_inline __s64 resident_pages(const __s64 pages[PMT_RSS_KINDS])
{
	return pages[PMT_RSS_FILE] + pages[PMT_RSS_ANON] + pages[PMT_RSS_SHMEM];
}

static __always_inline void read_exact(struct pmt_rss *r, const struct mm_struct *mm)
{
	for (__u32 kind = 0; kind < PMT_RSS_KINDS; kind++)
		r->exact[kind] = rss_exact_pages(mm, kind);
}

/*
 * Makes mm the one that is counted for tgid, with exact figures; or refreshes them. An mm that
 * another living target already has stays with that one: a vfork child runs on its parent's.
 */
static __always_inline void register_mm(const struct mm_struct *mm, __u32 tgid)
{
	struct pmt_counts *c = bpf_map_lookup_elem(&counts, &tgid);
	__u64 key = (__u64)mm;
	struct pmt_rss *r;

	if (!c || c->ended)
		return;
	r = bpf_map_lookup_elem(&rss, &key);
	if (r && r->tgid != tgid && !r->dead)
		return;
	if (!r || r->tgid != tgid || r->dead) {
		struct pmt_rss fresh = {.tgid = tgid};

		/* before the first event: what comes with it is a change */
		read_exact(&fresh, mm);
		__builtin_memcpy(fresh.pages, fresh.exact, sizeof(fresh.pages));
		if (bpf_map_update_elem(&rss, &key, &fresh, BPF_ANY)) {
			count_loss(PMT_LOSS_RSS_MAP);
			return;
		}
		c->mm = key;
		if (!c->begun)
			c->begin_pages = resident_pages(fresh.pages);
		c->begun = 1;
		return;
	}
	c->mm = key;
	read_exact(r, mm);
}

/* Stops counting the mm of this process; what was seen of it stays in counts. */
static __always_inline void forget_mm(struct pmt_counts *c, __u32 tgid)
{
	__u64 key = c->mm;
	struct pmt_rss *r = bpf_map_lookup_elem(&rss, &key);

	c->mm = 0;
	if (!r || r->tgid != tgid)
		return;
	for (__u32 kind = 0; kind < PMT_RSS_KINDS; kind++)
		c->last.pages[kind] = r->pages[kind];
	c->last.events += r->events;
	c->last.foreign += r->foreign;
	c->last.seen[0] += r->seen[0];
	c->last.seen[1] += r->seen[1];
	bpf_map_delete_elem(&rss, &key);
}

#endif
