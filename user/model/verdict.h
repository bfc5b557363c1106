/* SPDX-License-Identifier: MIT */
/*
 * What the figures of one process say about its memory, and what would give some of it back: sentences
 * with their evidence, and for each remedy the bytes it would return, computed from this process and
 * not from experience. What the figures do not support is not said.
 */
#ifndef PMT_MODEL_VERDICT_H
#define PMT_MODEL_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct explanation;

enum finding {
	FINDING_POOLS_PINNED,	/* free blocks, free pools: a few survivors keep pools, arenas */
	FINDING_HEAP_FREE,	/* free chunks of the C library's heap that were not given back */
	FINDING_ARENAS_FREE,	/* the same, in arenas of threads */
	FINDING_THRESHOLD_GREW, /* dynamic mmap threshold: large blocks live on the heap */
	FINDING_DATA,		/* it is in use: mmapped chunks, live blocks, chunks in use */
	FINDING_OTHER_MALLOC,	/* an allocator that is not looked into */
	FINDING_FILES,		/* page cache of programs and libraries */
	FINDING_SHARED,		/* shared memory */
	FINDING_STACKS,		/* of threads */
	FINDING_COPIED,		/* of a forked child: what it has by itself, of what it shares */
	FINDING_HEAP_UNKNOWN,	/* the C library's heap, where it did not pass its checks */
	FINDING_ANONYMOUS,	/* nobody knows */
	FINDING_SWAPPED,	/* not in RSS */
	FINDING_HUGETLB,	/* nor these */
	FINDING_SMALL,		/* nothing stands out */
	FINDINGS
};

enum remedy {
	REMEDY_FREE_SURVIVORS,
	REMEDY_TRIM,	       /* malloc_trim(0) */
	REMEDY_ARENA_MAX,      /* MALLOC_ARENA_MAX, if threads peak at different times */
	REMEDY_MMAP_THRESHOLD, /* MALLOC_MMAP_THRESHOLD_ */
	REMEDY_TRIM_THRESHOLD, /* MALLOC_TRIM_THRESHOLD_ */
	REMEDY_FREEZE,	       /* gc.freeze() before fork */
	REMEDY_NOTHING,	       /* it is data */
	REMEDIES
};

#define VERDICT_MAX  3 /* sentences */
#define REMEDY_MAX   5
#define VERDICT_TEXT 480

struct verdict_sentence {
	enum finding finding;
	uint64_t bytes; /* that it is about: resident, but for FINDING_SWAPPED, _HUGETLB */
	char text[VERDICT_TEXT];
};

struct verdict_remedy {
	enum remedy remedy;
	bool exact; /* bytes are computed; else at most so many, and the text says on what it depends */
	/* that RSS would shrink by; REMEDY_FREEZE: memory of its own, of which RSS says nothing */
	uint64_t bytes;
	char text[VERDICT_TEXT];
};

/*
 * Sentences: the largest first, and one at least, always. Remedies: first those for the process as it
 * runs, then those for its next start, of each the largest first; REMEDY_NOTHING stands alone. Texts are
 * plain ASCII of ours, whole sentences.
 */
struct verdict {
	size_t nr_sentences, nr_remedies;
	struct verdict_sentence sentences[VERDICT_MAX];
	struct verdict_remedy remedies[REMEDY_MAX];
};

void verdict_of(const struct explanation *e, struct verdict *ret);

const char *finding_name(enum finding f); /* "pools_pinned": JSON */
const char *remedy_name(enum remedy r);	  /* "malloc_trim" */

#endif
