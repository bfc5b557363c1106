/* SPDX-License-Identifier: MIT */
/* Explanations as JSON: {"schema": "pymemtrace-bpf/1", "kind": "explanation", ...}, and back. */
#ifndef PMT_OUTPUT_JSON_EXPLAIN_H
#define PMT_OUTPUT_JSON_EXPLAIN_H

#include <jansson.h>
#include <stddef.h>

struct explanation;
struct fault;
struct verdict;

/* A new reference, or NULL when memory ran out. v may be NULL. */
json_t *json_explanation(const struct explanation *e, const struct verdict *v);

/* {"kind": "explanation_diff", ...}: every row that changed, and the change of each sum. */
json_t *json_explanation_diff(const struct explanation *a, const struct explanation *b);

/*
 * As json_load_snapshot(). What does not add up is refused. Reasons (..._why, why_not) are raw bytes then:
 * to be escaped before they are printed. The caller calls explanation_done().
 */
int json_load_explanation(struct explanation *ret, const char *text, size_t len, const char *name,
			  struct fault *f);

/* As json_read_snapshot(). */
int json_read_explanation(struct explanation *ret, const json_t *doc, const char *name,
			  struct fault *f);

#endif
