/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Pools: allocate_from_new_pool, which takes a fresh pool for a size class.
 *
 *	static void *allocate_from_new_pool(uint size)			3.8 .. 3.11
 *	static void *allocate_from_new_pool(OMState *state, uint size)	since 3.12 (gh-101659)
 */
#include "charge.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe")
int BPF_KPROBE(on_new_pool, unsigned long arg1, unsigned long arg2)
{
	__u32 tgid = current_tgid();
	const struct pmt_target *t = bpf_map_lookup_elem(&targets, &tgid);
	struct pmt_counts *c;
	__u32 class;

	keep_own_stack(ctx);
	if (!t || !t->arena_size || stopped)
		return 0;
	c = bpf_map_lookup_elem(&counts, &tgid);
	if (!c)
		return 0;
	class = arg1;
	if (t->flags & PMT_POOL_ARG2) {
		class = arg2;
		if (t->obmalloc_addr && arg1 != t->obmalloc_addr) {
			add_one(&c->pools_other);
			return 0;
		}
	}
	add_one(&c->pools_taken[class & (PMT_NR_CLASSES - 1)]);
	if (cfg_stacks & 1 << PMT_ON_POOL)
		attribute(c, tgid, PMT_ON_POOL, t->pool_size, 0, 1);
	if (cfg_calls)
		charge_call(tgid, CHARGE_POOL, 0, 0);
	return 0;
}
