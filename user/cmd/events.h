/* SPDX-License-Identifier: MIT */
/* The events of --event: their list, and whether this kernel has them. */
#ifndef PMT_CMD_EVENTS_H
#define PMT_CMD_EVENTS_H

#include <stddef.h>

struct fault;

#define EVENT_NAMES_SIZE 512

/* "rss, arena" of the bits given. Returns buf. */
char *event_names(char buf[static EVENT_NAMES_SIZE], unsigned int events);

/* Of those wanted, what was not recorded; of a group like "fault" one that was is enough. */
unsigned int events_missing(unsigned int wanted, unsigned int recorded);

/* --event list. Returns the exit status. */
int event_list_print(void);

/* -ENOTSUP and the first event that this kernel does not tell of, and why. */
int events_check(unsigned int events, struct fault *f);

#endif
