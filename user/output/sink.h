/* SPDX-License-Identifier: MIT */
/*
 * Where a command's data goes: stdout, or the file of -o, which appears whole or not at all.
 *
 * The file is written without a name (O_TMPFILE) and gets its own in sink_commit(); where the file
 * system cannot do that, under a hidden name beside it. Mode 0600; below sudo it belongs to the
 * user behind it. An existing file is refused (EEXIST) unless force is given, and then replaced by
 * rename: a link there is replaced, never written through. Character devices and FIFOs are written
 * as they are.
 *
 * A growing file, of which also a part is worth having, has its name from the beginning, and what
 * was sent stays there whatever happens. Else the rules are the same.
 */
#ifndef PMT_OUTPUT_SINK_H
#define PMT_OUTPUT_SINK_H

#include <stdbool.h>
#include <stdio.h>

struct fault;

struct sink {
	FILE *f;
	/* private */
	char *path; /* as the user gave it; NULL: stdout */
	char *name; /* its last part; NULL: written in place (stdout, device) */
	char *temp; /* its name until then; NULL: it has none */
	int dir_fd; /* where it will be */
	int fd;	    /* what f writes to */
	bool owned; /* fd is to be closed */
	bool force, growing;
	int err; /* of the first write that failed, positive */
};

/* path NULL: stdout. The sink must not move until it is committed or aborted. */
int sink_open(struct sink *s, const char *path, bool force, struct fault *f);

/* An existing file is replaced here already, if force is given. */
int sink_open_growing(struct sink *s, const char *path, bool force, struct fault *f);

/* Sends what is buffered on its way: after each report. -EPIPE: the reader has gone. */
int sink_flush(struct sink *s, struct fault *f);

/* Flushes, gives the file its name and closes it. On failure nothing is left behind. */
int sink_commit(struct sink *s, struct fault *f);

/*
 * Closes it and leaves nothing behind (what stdout and a growing file already got, they have; a
 * growing file that got nothing is removed). Accepts a zeroed sink.
 */
void sink_abort(struct sink *s);

/* Below sudo a file or directory becomes that of the user who asked for it. */
void sink_give_to_user(int fd);

#endif
