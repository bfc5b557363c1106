/* SPDX-License-Identifier: MIT */
/*
 * A thread's calls and returns as pymemtrace's cPyMemTrace writes them, one file per thread:
 *
 *	SOF
 *	HDR: Event        dEvent  Clock        What     File  ...  Line Function  ...  RSS         dRSS
 *	FRST: 0            +0      0.113145     CALL     app.py ...   8 grow      17371136     17371136
 *	NEXT: 2            +2      0.127810     RETURN   app.py ...   5 grow      31481856     31481856
 *	PREV: 2            +2      ...                the newest line again, if events were left out since
 *	NEXT: 29           +27     0.128974     CALL     app.py ...  12 shrink    31485952         4096
 *	MSG:  30           +1      0.128974     # 12 events were lost
 *	LAST: 31           +2      0.128980     RETURN   app.py ...  14 shrink    31485952            0
 *	EOF
 *
 * or the same as JSON lines. As there, dRSS is counted from the newest line, and the first NEXT has
 * all of RSS; FRST and LAST are events too, where cPyMemTrace has the line that made or ended it.
 *
 * A log has no file open between two calls, so that there may be thousands. Its file is new, mode
 * 0600 and, below sudo, the user's; no link is followed, and nothing but that file is written to.
 */
#ifndef PMT_OUTPUT_CALL_LOG_H
#define PMT_OUTPUT_CALL_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct call_log;
struct fault;

enum call_log_format { CALL_LOG_TEXT, CALL_LOG_JSON };

/* What the file is named by: 20261123_025835_0_10192_10193_P_0_PY3.13.0.log, or .jsonl */
struct call_log_id {
	time_t time;
	unsigned int ordinal; /* of the log among those of the run, from 0 */
	pid_t pid, tid;
	const char *version; /* "3.13.0" */
};

/* Strings are those of the target, not escaped; they are borrowed for the call. */
struct call_log_event {
	uint64_t nr;	/* of its thread, from 0 */
	int64_t cpu_ns; /* CPU time of the process */
	bool returns;
	const char *function; /* its plain name, co_name */
	const char *file;
	int32_t line;
	int64_t rss; /* bytes */
};

/* Makes dir if there is none. EEXIST: the file is there already. */
int call_log_new(struct call_log **ret, const char *dir, enum call_log_format format,
		 const struct call_log_id *id, struct fault *f);

/* Writes every event it is given: leaving out what changed too little is the caller's part. */
int call_log_write(struct call_log *l, const struct call_log_event *e, struct fault *f);

/* Something to say in between: one line. */
int call_log_message(struct call_log *l, const char *text, struct fault *f);

/* Sends what is buffered on its way. */
int call_log_flush(struct call_log *l, struct fault *f);

/*
 * The end: e is the thread's newest event, written before or not; NULL: the newest written one.
 * Frees the log, also on failure.
 */
int call_log_last(struct call_log *l, const struct call_log_event *e, struct fault *f);

/* Ends it as it is, without LAST and EOF. Accepts NULL. */
void call_log_free(struct call_log *l);

/* "C.method" -> "method", "f.<locals>.<lambda>" -> "<lambda>": a part of its argument. */
const char *call_log_plain_name(const char *qualified);

#endif
