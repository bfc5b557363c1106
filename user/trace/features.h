/* SPDX-License-Identifier: MIT */
/*
 * THE FEATURE TABLE: what this kernel, these privileges and this machine offer. A feature is judged
 * by trying it, never by a version number; PYMEMTRACE_WITHOUT=name,name masks features, so that each
 * fallback runs in the ordinary tests.
 */
#ifndef PMT_TRACE_FEATURES_H
#define PMT_TRACE_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

enum feature {
	FEATURE_BTF, /* /sys/kernel/btf/vmlinux */
	FEATURE_CAP_BPF,
	FEATURE_CAP_PERFMON,
	FEATURE_CAP_SYS_PTRACE,
	FEATURE_CAP_DAC_READ_SEARCH,
	FEATURE_BPF,	   /* a program loads */
	FEATURE_RSS_STAT,  /* tp_btf/rss_stat attaches */
	FEATURE_RSS_EXACT, /* counted per page, not per 64 (since 6.2) */
	FEATURE_TASK_ITER,
	FEATURE_RINGBUF,
	FEATURE_STACK_WALK, /* bpf_loop, since 5.17 */
	FEATURE_FAULTS,	    /* software events and tracepoints of page faults, with programs */
	FEATURE_SYSCALLS,   /* tp_btf/sys_enter, sys_exit */
	FEATURE_RECLAIM,    /* tp_btf/mm_vmscan_memcg_reclaim_end, ..._direct_reclaim_end */
	FEATURE_OOM,	    /* tp_btf/mark_victim */
	FEATURE_UPROBE_MULTI,
	FEATURE_PERF_UPROBE,
	FEATURE_MEM, /* /proc/PID/mem of another process */
	FEATURE_PAGEMAP_SCAN,
	FEATURE_MAP_FILES,
	FEATURE_PID_NAMESPACE, /* the tool sees all processes (initial PID namespace) */
	FEATURE_COUNT
};

struct feature_row {
	const char *name;			 /* as in PYMEMTRACE_WITHOUT */
	const char *offers;			 /* "what it gives" */
	const char *without;			 /* "what is lost without it" */
	bool required;				 /* stat cannot fully work without it */
	int (*probe)(char *detail, size_t size); /* 1 yes, 0 no; detail says why or how */
};

extern const struct feature_row features[FEATURE_COUNT];

/* 1 or 0, probed once and remembered; detail may be NULL. Masked features are 0. */
int feature_has(enum feature which, const char **ret_detail);

/* True if PYMEMTRACE_WITHOUT names it. For layers that try a feature themselves. */
bool feature_masked(const char *name);

#endif
