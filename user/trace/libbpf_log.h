/* SPDX-License-Identifier: MIT */
/*
 * Where libbpf's messages go: to the debug log, and the last lines of a verifier's complaint into
 * the fault that reports it.
 */
#ifndef PMT_TRACE_LIBBPF_LOG_H
#define PMT_TRACE_LIBBPF_LOG_H

/* Installs it, if that was not done, and forgets what was said before. */
void libbpf_log_start(void);

/* What the verifier said last, in one line; "" if it said nothing. Of this thread. */
const char *libbpf_log_tail(void);

#endif
