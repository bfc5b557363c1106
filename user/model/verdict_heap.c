/* SPDX-License-Identifier: MIT */
/* Why the C library's heap has free memory: where in it that is, as far as the figures tell. */
#include "model/verdict_internal.h"

/* What is mapped by default is on the heap only where the threshold has grown well above that. */
#define THRESHOLD_NOTABLE (1ull << 20)

static struct kind_sum heap_free(const struct facts *f)
{
	return facts_sum(f, MEMORY_HEAP_FREE, MEMORY_HEAP_TOP);
}

bool threshold_matters(const struct facts *f)
{
	const struct heap_stats *h = &f->e->heap;

	return f->heap_known && h->thresholds_grew && h->mmap_threshold >= THRESHOLD_NOTABLE &&
	       h->trim_large + h->trim_top >= heap_free(f).bytes / 2;
}

void threshold_grew_say(const struct facts *f, char text[static VERDICT_TEXT])
{
	const struct heap_stats *h = &f->e->heap;
	uint64_t bytes = heap_free(f).bytes;
	struct words w = {0};

	say(text, "%s of RSS (%s) is free memory in glibc's heap",
	    word_percent(&w, bytes, f->total), word_size(&w, bytes));
	if (f->kinds[MEMORY_HEAP_TOP].bytes >= bytes / 2)
		say(text, ", most of it at its end");
	say(text,
	    ". Its mmap_threshold grew to %s, so blocks up to that size are on the heap now; ",
	    word_number(&w, h->mmap_threshold));
	say(text, "trim_threshold is %s.", word_number(&w, h->trim_threshold));
}

void heap_free_say(const struct facts *f, char text[static VERDICT_TEXT])
{
	const struct heap_stats *h = &f->e->heap;
	uint64_t bytes = heap_free(f).bytes;
	struct words w = {0};

	say(text, "%s of RSS (%s) is free memory in glibc's heap",
	    word_percent(&w, bytes, f->total), word_size(&w, bytes));
	if (!f->heap_known)
		say(text, ".");
	else if (f->kinds[MEMORY_HEAP_TCACHE].bytes >= bytes / 2)
		say(text, ", most of it in the caches of threads (tcache).");
	else if (f->kinds[MEMORY_HEAP_TOP].bytes >= bytes / 2)
		say(text, ", most of it at its end, where trim_threshold lets %s stay.",
		    word_size(&w, h->trim_threshold));
	else if (h->fsmblks >= bytes / 2)
		say(text, ", most of it small chunks in fastbins: freed, and never merged.");
	else if (h->largest_free >= bytes / 2 && h->largest_free <= bytes &&
		 h->largest_free > f->kinds[MEMORY_ARENA_FREE].bytes)
		say(text, ": %s of it in one piece below a chunk in use.",
		    word_size(&w, h->largest_free));
	else if (h->largest_free)
		say(text, " between chunks in use; the largest piece is %s.",
		    word_size(&w, h->largest_free));
	else
		say(text, ".");
}

void arenas_free_say(const struct facts *f, char text[static VERDICT_TEXT])
{
	uint64_t bytes = facts_sum(f, MEMORY_ARENA_FREE, MEMORY_ARENA_TOP).bytes;
	struct words w = {0};

	say(text, "%s of RSS (%s) is free memory in ", word_percent(&w, bytes, f->total),
	    word_size(&w, bytes));
	if (f->e->heap.arenas > 2)
		say(text, "%s arenas of threads of glibc's malloc.",
		    word_number(&w, f->e->heap.arenas - 1));
	else
		say(text, "a thread's arena of glibc's malloc.");
}
