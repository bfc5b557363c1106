/* SPDX-License-Identifier: MIT */
/*
 * The field tables of all records. Records that JSON needs but the model has no struct for (a size
 * class with its number, RSS with its sum) are declared here.
 */
#ifndef PMT_OUTPUT_TABLES_H
#define PMT_OUTPUT_TABLES_H

#include "model/calls.h"
#include "model/explanation.h"
#include "model/list_row.h"
#include "model/profile.h"
#include "model/report.h"
#include "model/snapshot.h"
#include "model/verdict.h"
#include "output/fields.h"
#include "output/profile_functions.h"

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

/* A function of a profile, as stacks refer to it. */
struct function_name_record {
	char kind[8]; /* python, native, unnamed */
	char *name, *file;
	int64_t first_line; /* -1: none */
};

struct profile_row_record {
	char event[24], memory[12];
	struct profile_row row;
};

/* Indices are -1 where there is none. */
struct profile_arena_record {
	struct profile_arena arena;
	int64_t stack, thread, opened_ns;
};

/* A function of a table of calls; -1: not known. largest is null or any number: no row of the table. */
struct call_function_record {
	struct call_function f;
	char *name, *file; /* NULL: not known */
	int64_t first_line, self;
	int64_t returns, yields, unwinds, self_ns, total_ns;
};

struct call_site_record {
	struct call_site site;
	int64_t cost_ns;
};

/* Why something is not there, and what else is said in words: "" if there is nothing to say. */
struct explanation_why_record {
	char *approximate, *pools, *heap;
	char *library_mallocs;
};

struct explanation_row_record {
	char kind[24], group[16]; /* names */
	struct explanation_row row;
};

struct explanation_change_record {
	const char *kind, *group, *name;
	uint64_t before, after;
	int64_t change;
};

struct explanation_diff_record {
	bool same_process, approximate;
	int64_t begin_ns, end_ns, change;
	uint64_t resident;
};

struct heap_record {
	struct heap_stats stats;
	char *why_not;
};

struct verdict_record {
	char name[24]; /* of a finding or a remedy */
	uint64_t bytes;
	bool exact;
	char *text;
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

extern const struct field_table profile_table;	       /* struct profile, its own figures */
extern const struct field_table profile_process_table; /* struct profile_process */
extern const struct field_table profile_change_table;  /* struct profile_change */
extern const struct field_table function_name_table;   /* struct function_name_record */
extern const struct field_table profile_thread_table;  /* struct profile_thread */
extern const struct field_table profile_row_table;     /* struct profile_row_record */
extern const struct field_table profile_arena_table;   /* struct profile_arena_record */
extern const struct field_table function_table;	       /* struct function_record */

extern const struct field_table calls_table;	     /* struct calls, its own figures */
extern const struct field_table call_losses_table;   /* struct calls */
extern const struct field_table call_process_table;  /* struct call_process */
extern const struct field_table call_function_table; /* struct call_function_record */
extern const struct field_table call_site_table;     /* struct call_site_record */

extern const struct field_table explanation_table;	  /* struct explanation, its own figures */
extern const struct field_table explanation_why_table;	  /* struct explanation_why_record */
extern const struct field_table explanation_kernel_table; /* struct explanation_kernel */
extern const struct field_table explanation_row_table;	  /* struct explanation_row_record */
extern const struct field_table explanation_change_table; /* struct explanation_change_record */
extern const struct field_table explanation_diff_table;	  /* struct explanation_diff_record */
extern const struct field_table pool_stats_table;	  /* struct pool_stats */
extern const struct field_table heap_table;		  /* struct heap_record */
extern const struct field_table cgroup_table;		  /* struct memory_cgroup */
extern const struct field_table finding_table;		  /* struct verdict_record */
extern const struct field_table remedy_table;		  /* struct verdict_record */

#endif
