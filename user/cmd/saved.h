/* SPDX-License-Identifier: MIT */
/* Files that were saved before, by this program or by a Python that printed its account. */
#ifndef PMT_CMD_SAVED_H
#define PMT_CMD_SAVED_H

#include "model/explanation.h"
#include "model/snapshot.h"
#include "output/json.h"

struct fault;

enum saved_kind {
	SAVED_SNAPSHOT, /* JSON of ours, or text printed anywhere */
	SAVED_EXPLANATION,
	SAVED_RECORDING, /* not read further than its beginning */
	SAVED_OTHER,	 /* another document of ours */
};

struct saved {
	enum saved_kind kind;
	char what[JSON_KIND_TEXT];	/* "a snapshot", "a table of calls"; safe for a terminal */
	struct snapshot snapshot;	/* if it is one */
	struct explanation explanation; /* if it is one */
};

/* What it is and what is in it. The caller calls saved_done(), of a zeroed one too. */
int saved_load(const char *path, struct saved *ret, struct fault *f);
void saved_done(struct saved *s);

#endif
