/* SPDX-License-Identifier: MIT */
/* A table of calls as a JSON document. */
#ifndef PMT_OUTPUT_JSON_CALLS_H
#define PMT_OUTPUT_JSON_CALLS_H

#include "model/calls.h"

#include <jansson.h>
#include <stdio.h>

/* {"schema", "kind": "calls", ...}, functions as calls_sort() left them. NULL: memory ran out. */
json_t *json_calls(const struct calls *c);

/* The document and a newline, in one line. 0 or -errno. */
int calls_write_json(FILE *out, const struct calls *c);

#endif
