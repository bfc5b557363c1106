/* SPDX-License-Identifier: MIT */
/* The arenas alive when recording ends. */
#ifndef PMT_CMD_RECORDER_ARENAS_H
#define PMT_CMD_RECORDER_ARENAS_H

struct collector;
struct options;
struct watched;

/* Reads them from the process, and adds them to the collector's total. Says so if it cannot. */
void recorder_arenas(struct collector *c, const struct options *o, const struct watched *w);

#endif
