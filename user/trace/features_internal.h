/* SPDX-License-Identifier: MIT */
/* What the files of the feature table share: programs that do nothing, and how an answer is worded. */
#ifndef PMT_TRACE_FEATURES_INTERNAL_H
#define PMT_TRACE_FEATURES_INTERNAL_H

#include <bpf/bpf.h>
#include <stddef.h>

int feature_yes(char *detail, size_t size, const char *what);	      /* 1 */
int feature_no(char *detail, size_t size, const char *what, int err); /* 0 */

/* The smallest program of a type; its fd, or -errno. */
int feature_load_program(enum bpf_prog_type type, enum bpf_attach_type attach, int btf_id);
int feature_load_tracing(const char *name, enum bpf_attach_type attach);

/* features_events.c: a row's probe each, but for the first. */
int feature_tracepoint(const char *name, char *detail, size_t size);
int feature_faults(char *detail, size_t size);
int feature_syscalls(char *detail, size_t size);
int feature_reclaim(char *detail, size_t size);
int feature_oom(char *detail, size_t size);

#endif
