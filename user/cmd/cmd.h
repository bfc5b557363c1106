/* SPDX-License-Identifier: MIT */
/*
 * What every command is made of: a row of the table in main.c, its options, and the one place where
 * a fault becomes a message and an exit status.
 */
#ifndef PMT_CMD_CMD_H
#define PMT_CMD_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fault;

enum exit_status {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_INCOMPLETE = 3, /* only under --strict */
};

#define TOP_ALL	    UINT64_MAX
#define TOP_DEFAULT (UINT64_MAX - 1) /* not given: the command's own */

/* Of calls. */
struct call_options {
	const char *log; /* DIR; NULL: no log */
	bool has_threshold;
	uint64_t threshold; /* bytes */
	uint64_t depth;	    /* 0: no limit */
	pid_t *tids;
	size_t nr_tids;	     /* 0: all */
	double max_overhead; /* percent; 0: no limit */
	bool time, allow_slow, no_exits;
};

struct options {
	const struct command *command;
	pid_t *pids;
	size_t nr_pids;
	bool children;
	uint64_t interval_ns;
	bool has_interval;    /* -i was given */
	uint64_t reports;     /* -n; 0: no limit */
	uint64_t duration_ns; /* -d; 0: no limit */
	const char *output;
	bool force;
	const char *format; /* one of the command's */
	bool pause, strict, quiet, as_root, map;
	int verbose;
	uint64_t top;
	const char *sort;
	unsigned int events; /* bit per enum profile_event; 0: the command's default */
	bool exact;	     /* every change, no sampling */
	uint64_t stacks;     /* room for so many */
	bool inverted, by_thread;
	uint64_t min_bytes;
	const char **include, **exclude; /* NULL-terminated globs */
	struct call_options calls;
	char **args; /* what is neither option nor program: FILEs */
	size_t nr_args;
	char **program; /* after "--", NULL-terminated; NULL: none */
};

struct command {
	const char *name;
	const char *summary;
	const char *args_doc; /* "-p PID[,PID...]" */
	const char *doc;      /* of --help, below the options */
	unsigned int takes;   /* enum option_bit of every option it takes */
	const char *formats;  /* "text json", the first is the default */
	int (*run)(const struct options *o);
};

extern const struct command *const commands[]; /* NULL-terminated; the first is the default */

/*
 * Parses argv (argv[0] is the command's name for messages). Returns -1, or the exit status with
 * which to end at once (usage errors, --help). Options live until the program ends.
 */
int options_parse(const struct command *c, int argc, char **argv, struct options *ret);

/* Ends with what is wrong with the command line, and exit status 2. */
void options_usage(const struct command *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

/* "pymemtrace-bpf: text" and "hint: ..." on stderr; returns the exit status for that fault. */
int report_fault(const struct fault *f);

/*
 * The exit status for text that went to stdout, --help and the like: a sentence on stderr if it did
 * not get there. err: printing it failed already.
 */
int report_printed(int err);

/* A note on stderr that -q silences: "pymemtrace-bpf: note: ...". */
void report_note(const struct options *o, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

bool format_is(const struct options *o, const char *format);

extern const struct command cmd_stat, cmd_record, cmd_snapshot, cmd_list, cmd_doctor, cmd_report,
	cmd_diff, cmd_calls, cmd_explain;

/* One bit per option; the table is in options.c. */
enum option_bit {
	OPT_PID = 1 << 0,
	OPT_CHILDREN = 1 << 1,
	OPT_INTERVAL = 1 << 2,
	OPT_REPORTS = 1 << 3,
	OPT_DURATION = 1 << 4,
	OPT_OUTPUT = 1 << 5,
	OPT_FORMAT = 1 << 6,
	OPT_PAUSE = 1 << 7,
	OPT_STRICT = 1 << 8,
	OPT_TOP = 1 << 9,
	OPT_SORT = 1 << 10,
	OPT_GLOB = 1 << 11,
	OPT_PROGRAM = 1 << 12, /* "-- PROGRAM" and --as-root */
	OPT_FILES = 1 << 13,   /* two FILE arguments */
	OPT_FILE = 1 << 14,    /* one */
	OPT_EVENT = 1 << 15,
	OPT_RECORD = 1 << 16,	 /* --exact, --stacks */
	OPT_TREE = 1 << 17,	 /* --inverted, --by, --min */
	OPT_FUNCTIONS = 1 << 18, /* --include and --exclude, of functions */
	OPT_CALLS = 1 << 19,	 /* what only calls takes */
	OPT_MAP = 1 << 20,
};

#endif
