/* SPDX-License-Identifier: MIT */
/* Internal to the verdict: the figures it is drawn from, and how its sentences are put together. */
#ifndef PMT_MODEL_VERDICT_INTERNAL_H
#define PMT_MODEL_VERDICT_INTERNAL_H

#include "model/explanation.h"
#include "model/verdict.h"

/* What is less than this is not worth waking anybody: of RSS in percent, and bytes. */
#define NOTABLE_PERCENT 5
#define NOTABLE_BYTES	(4ull << 20)
/* A remedy that is called in the process costs nothing; but neither does it matter below this. */
#define REMEDY_PERCENT 1
#define REMEDY_BYTES   (64ull << 10)

struct kind_sum {
	uint64_t bytes, huge, exclusive;
};

struct facts {
	const struct explanation *e;
	struct kind_sum kinds[MEMORY_KINDS];
	uint64_t total;
	bool trim_known; /* trim_bytes is what malloc_trim(0) returns, and no guess */
	bool heap_known; /* what free memory there is in the heap has been seen, all of it */
	bool sparse;	 /* most free blocks are in pools that few blocks pin */
};

struct kind_sum facts_sum(const struct facts *f, enum memory_kind first, enum memory_kind last);
bool facts_notable(const struct facts *f, uint64_t bytes);
/* Memory that fork() shares, and a parent or child still does. */
uint64_t facts_shared_anonymous(const struct facts *f);

/* --- verdict_text.c -------------------------------------------------------------------------- */

/* Numbers of one sentence, as text. */
struct words {
	char v[12][32];
	unsigned int nr;
};

const char *word_size(struct words *w, uint64_t bytes);			  /* "1.9 GiB" */
const char *word_number(struct words *w, uint64_t n);			  /* "412,870" */
const char *word_percent(struct words *w, uint64_t part, uint64_t whole); /* "50 %" */

/* Appends, or leaves the text as it was if there is no room for all of it. */
void say(char text[static VERDICT_TEXT], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* What others wrote, as ASCII; NULL if it is empty. Where it is too long it ends at a word, with "[...]". */
const char *plain(char buf[static 168], const char *text);

/* --- verdict_findings.c, verdict_heap.c ------------------------------------------------------- */

/* Bytes that a finding is about, as far as f has any of it; 0: none. */
uint64_t finding_bytes(const struct facts *f, enum finding finding);
void finding_say(const struct facts *f, enum finding finding, char text[static VERDICT_TEXT]);

void heap_free_say(const struct facts *f, char text[static VERDICT_TEXT]);
void arenas_free_say(const struct facts *f, char text[static VERDICT_TEXT]);
void threshold_grew_say(const struct facts *f, char text[static VERDICT_TEXT]);
bool threshold_matters(const struct facts *f);

/* --- verdict_pools.c -------------------------------------------------------------------------- */

void pools_say(const struct facts *f, char text[static VERDICT_TEXT]);

/* --- verdict_remedies.c ----------------------------------------------------------------------- */

/* What can be done about what v has found. */
void remedies_of(const struct facts *f, struct verdict *v);

bool verdict_has(const struct verdict *v, enum finding finding);

#endif
