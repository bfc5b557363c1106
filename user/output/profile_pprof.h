/* SPDX-License-Identifier: MIT */
/*
 * pprof's profile.proto, gzip-compressed. Two sample types, "rss_growth" and "rss_shrink", both in
 * bytes ("arena_..." and "pool_..." for the other events); a cause is a function of its own, without
 * file. Labels: "pid", "tid" (numbers), "thread". The comments say how it was recorded.
 */
#ifndef PMT_OUTPUT_PROFILE_PPROF_H
#define PMT_OUTPUT_PROFILE_PPROF_H

#include "model/profile.h"

#include <stdio.h>

struct fault;

int profile_write_pprof(FILE *out, const struct profile *p, enum profile_event event,
			struct fault *f);

#endif
