/* SPDX-License-Identifier: MIT */
/* A timerfd on the monotonic clock: to be waited for together with other descriptors. */
#ifndef PMT_BASE_TIMER_H
#define PMT_BASE_TIMER_H

#include <stdbool.h>
#include <stdint.h>

/* The fd, not armed, or -errno. The caller closes it. */
int timer_open(void);

/* First after first_ns, then every every_ns; 0: only once. */
void timer_arm(int fd, uint64_t first_ns, uint64_t every_ns);

/* True once for any number of times that it has expired since the last call. */
bool timer_expired(int fd);

#endif
