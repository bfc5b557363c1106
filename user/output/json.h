/* SPDX-License-Identifier: MIT */
/*
 * JSON documents, by jansson; their schema comes from the same field tables (fields.h).
 * Every document: {"schema": "pymemtrace-bpf/1", "kind": "snapshot", ...}. Strings of the target
 * are escaped to valid UTF-8 (text_escape).
 */
#ifndef PMT_OUTPUT_JSON_H
#define PMT_OUTPUT_JSON_H

#include "model/snapshot.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

struct fault;
struct list_row;
struct report_change;
struct report_state;

#define JSON_SCHEMA_NAME "pymemtrace-bpf/1"

/* A new reference, or NULL when memory ran out. */
json_t *json_snapshot(const struct snapshot *s);
json_t *json_stats(const struct malloc_stats *s);
json_t *json_rss(const struct rss *r);
json_t *json_list_row(const struct list_row *r);

/*
 * Every figure's change, unchanged classes and free lists left out. The two must be comparable
 * (stats_comparable() of stats_text.h).
 */
json_t *json_stats_diff(const struct malloc_stats *a, const struct malloc_stats *b);

/* {"schema", "kind": "diff", "stats_change": {...}}; {"schema", "kind": "state" | "change", ...} */
json_t *json_diff(const struct snapshot *a, const struct snapshot *b);
json_t *json_report_state(const struct report_state *s);
json_t *json_report_change(const struct report_change *c);

/* {"schema", "kind"} to which a command adds its own members. */
json_t *json_document(const char *kind);

/* Writes one document and a newline: indented, or one line for streams. 0 or -errno. */
int json_write(FILE *out, const json_t *doc, bool one_line);

/* A document of ours is smaller; a larger file is refused unread (E2BIG). */
#define JSON_MAX_BYTES (16u << 20)

/*
 * Parses a document of ours and says of which kind. name is for messages. -EINVAL with a fault that
 * tells cut short, several documents, other schema and not ours apart.
 */
int json_load(json_t **ret, const char **ret_kind, const char *text, size_t len, const char *name,
	      struct fault *f);

/*
 * The same, of kind "snapshot", as a snapshot. The caller calls snapshot_done(). -EMEDIUMTYPE: of another
 * kind, and which.
 */
int json_load_snapshot(struct snapshot *ret, const char *text, size_t len, const char *name,
		       struct fault *f);

/* The same of a document that json_load() has parsed, and found to be of that kind. */
int json_read_snapshot(struct snapshot *ret, const json_t *doc, const char *name, struct fault *f);

/* "an explanation", "a table of calls", "a document of kind census"; safe for a terminal. Returns buf. */
#define JSON_KIND_TEXT 96
char *json_kind_text(char buf[static JSON_KIND_TEXT], const char *kind);

/* The JSON Schema of every document, made from the field tables. */
json_t *json_schema(void);

#endif
