/* SPDX-License-Identifier: MIT */
/* Profiles as JSON documents, and the parts of them that `stat` has in its own. */
#ifndef PMT_OUTPUT_JSON_PROFILE_H
#define PMT_OUTPUT_JSON_PROFILE_H

#include "model/profile_tree.h"

#include <jansson.h>

struct profile_view;

/* All return a new reference, or NULL when memory ran out. */

/* {"schema", "kind": "profile", ...}: of the events and the process of the view, everything. */
json_t *json_profile(const struct profile *p, const struct profile_view *view);

/*
 * For the change of RSS in an interval, to be members "functions" and "attribution" of kind
 * "change": the first functions, what changed most first, whatever its sign; and what was seen, how
 * much of it was put down to functions, and why the rest was not. pid 0: all; top UINT64_MAX: all.
 */
json_t *json_functions(const struct profile *p, pid_t pid, uint64_t top);
json_t *json_attribution(const struct profile *p, pid_t pid);

#endif
