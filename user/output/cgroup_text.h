/* SPDX-License-Identifier: MIT */
/* A memory cgroup as people read it: footnotes of an explanation. */
#ifndef PMT_OUTPUT_CGROUP_TEXT_H
#define PMT_OUTPUT_CGROUP_TEXT_H

#include <stdint.h>
#include <stdio.h>

struct memory_cgroup;

/*
 * Nothing if it is in none. process_bytes: of one process, by its Pss: pages that several map are
 * paid for once. rate: bytes a second by which it grows steadily (cgroup_rate_steady()); 0: it does
 * not, or that is not known.
 */
void cgroup_print(FILE *out, const struct memory_cgroup *c, uint64_t process_bytes, double rate);

/* "about 6 min to the limit at this rate"; "" if there is no limit, or it is more than a month off. */
#define CGROUP_TEXT_LEFT 80
char *cgroup_text_left(char buf[static CGROUP_TEXT_LEFT], const struct memory_cgroup *c,
		       double rate);

#endif
