/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The log of calls: events of shown functions whose RSS differs enough from that of the newest that was
 * written. Each thread has a log of its own.
 */
#ifndef PMT_CALL_LOG_BPF_H
#define PMT_CALL_LOG_BPF_H

#include "shadow.bpf.h"

/* The reader is woken when so many have come, and so many more: each time takes 2 us and more. */
#define LOG_WAKE_BYTES (64 << 10)

static __always_inline void send_event(struct pmt_call_thread *t, __u64 thread, __u32 flags)
{
	struct pmt_call_rec r = {.tgid = thread >> 32, .tid = (__u32)thread, .event = t->last};
	__u64 wake = BPF_RB_NO_WAKEUP, unread;

	r.event.what |= flags;
	__builtin_memcpy(r.comm, t->comm, sizeof(r.comm));
	unread = bpf_ringbuf_query(&call_log, BPF_RB_AVAIL_DATA);
	if (flags || unread / LOG_WAKE_BYTES != (unread + sizeof(r)) / LOG_WAKE_BYTES)
		wake = RING_WAKES;
	if (bpf_ringbuf_output(&call_log, &r, sizeof(r), wake))
		count_call(PMT_CALL_LOG_LOST);
}

/*
 * CPU time of the process's threads that run Python. The scheduler brings a running thread's up to date
 * at its ticks and when it leaves the CPU: between them the clock goes on by what has passed.
 */
static __always_inline __u64 process_cpu_ns(struct pmt_call_thread *t, struct pmt_counts *p)
{
	__u64 exec = bpf_get_current_task_btf()->se.sum_exec_runtime;
	__u64 now = bpf_ktime_get_ns();
	__u64 cpu;

	if (!t->nr_events)
		t->cpu_ns = exec;
	if (!t->nr_events || exec != t->cpu_exec_ns) {
		t->cpu_exec_ns = exec;
		t->cpu_seen_ns = now;
	}
	cpu = exec + (now - t->cpu_seen_ns);
	if (cpu > t->cpu_ns) {
		__sync_fetch_and_add(&p->cpu_ns, cpu - t->cpu_ns);
		t->cpu_ns = cpu;
	}
	return p->cpu_ns;
}

/* An event of the innermost call, before it is closed. lasti: as in struct pmt_frame. */
static __always_inline void log_event(struct call_run *c, __u32 fn, __s32 lasti, __u32 what)
{
	__u64 mm = (__u64)bpf_get_current_task_btf()->mm;
	__u32 tgid = c->thread >> 32;
	struct pmt_counts *p = bpf_map_lookup_elem(&counts, &tgid);
	const struct pmt_rss *r = bpf_map_lookup_elem(&rss, &mm);
	struct pmt_call_thread *t = c->t;
	__s64 pages, change;

	if (!r || !p)
		return;
	pages = resident_pages(r->pages);
	t->last.cpu_ns = process_cpu_ns(t, p);
	t->last.nr = t->nr_events++;
	t->last.rss = (pages > 0 ? pages : 0) * PAGE_BYTES;
	t->last.fn = fn;
	t->last.lasti = lasti;
	t->last.what = what;
	/* as cPyMemTrace: what event 0 showed is not what the next is compared with */
	change = t->last.rss - t->reported;
	if (t->last.nr && (__u64)(change < 0 ? -change : change) < cfg_threshold)
		return;
	if (t->last.nr)
		t->reported = t->last.rss;
	send_event(t, c->thread, 0);
}

#endif
