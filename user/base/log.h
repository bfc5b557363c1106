/* SPDX-License-Identifier: MIT */
/*
 * Debug trace of the lower layers, on stderr, off unless -vv. Everything a user must read goes
 * through struct fault or a health line instead.
 */
#ifndef PMT_BASE_LOG_H
#define PMT_BASE_LOG_H

enum log_level {
	LOG_QUIET = -1,
	LOG_NORMAL = 0,
	LOG_VERBOSE = 1,
	LOG_DEBUG = 2,
	LOG_TRACE = 3, /* libbpf's own debug output too */
};

extern enum log_level log_level;

void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
