/* SPDX-License-Identifier: MIT */
/* Values of options that are more than a number. What is wrong with one ends the program, with the reason. */
#ifndef PMT_CMD_OPTION_VALUES_H
#define PMT_CMD_OPTION_VALUES_H

#include <stddef.h>
#include <sys/types.h>

struct command;

#define PID_LIMIT 4194304 /* PID_MAX_LIMIT of 64-bit kernels */

/* Adds those of "42,43", each once. option, what: "-p", "PID", for messages; list is changed. */
void option_ids(const struct command *c, const char *option, const char *what, char *list,
		pid_t **ids, size_t *nr);

/* Adds one to a NULL-terminated list. */
void option_glob(const struct command *c, const char *glob, const char ***list);

/* "rss,arena": a bit per enum profile_event. */
unsigned int option_events(const struct command *c, const char *list);

/* "5", "0.5", "20%" */
double option_percent(const struct command *c, const char *option, const char *text);

#endif
