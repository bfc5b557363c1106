/* SPDX-License-Identifier: MIT */
/*
 * The field tables of all records. Records that JSON needs but the model has no struct for (a size
 * class with its number, RSS with its sum) are declared here.
 */
#ifndef PMT_OUTPUT_TABLES_H
#define PMT_OUTPUT_TABLES_H

#include "model/list_row.h"
#include "model/report.h"
#include "model/snapshot.h"
#include "output/fields.h"

struct rss_record {
	struct rss rss;
	int64_t resident;
};

struct class_record {
	uint32_t index, block_bytes;
	struct size_class figures;
};

/* One row of `doctor`. */
struct feature_record {
	const char *name, *offers, *without, *detail;
	bool available, required;
};

extern const struct field_table snapshot_table;	    /* struct snapshot, its own figures */
extern const struct field_table process_table;	    /* struct process_id */
extern const struct field_table python_table;	    /* struct python_id */
extern const struct field_table rss_table;	    /* struct rss_record */
extern const struct field_table losses_table;	    /* struct read_losses */
extern const struct field_table stats_sizes_table;  /* struct malloc_stats: the same in one build */
extern const struct field_table stats_table;	    /* struct malloc_stats: what changes */
extern const struct field_table arena_map_table;    /* struct malloc_stats, where radix */
extern const struct field_table class_table;	    /* struct class_record */
extern const struct field_table free_list_table;    /* struct free_list */
extern const struct field_table list_table;	    /* struct list_row */
extern const struct field_table change_table;	    /* struct report_change, its own figures */
extern const struct field_table arena_events_table; /* struct report_change, from probes */
extern const struct field_table arena_state_table;  /* struct report_change, from state */
extern const struct field_table feature_table;	    /* struct feature_record */
extern const struct field_table health_table;	    /* struct report_health */

#endif
