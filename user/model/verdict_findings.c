/* SPDX-License-Identifier: MIT */
/* What RSS is made of, finding by finding: how many bytes, and the sentence. */
#include "model/verdict_internal.h"

#include "base/cleanup.h"

#include <stdio.h>
#include <string.h>

/* Memory that fork() shares. */
static struct kind_sum anonymous(const struct facts *f)
{
	struct kind_sum sum = {0};

	for (unsigned int k = 0; k < MEMORY_KINDS; k++) {
		if (k == MEMORY_FILE_TEXT || k == MEMORY_FILE_OTHER || k == MEMORY_SHARED ||
		    k == MEMORY_VDSO)
			continue;
		sum.bytes += f->kinds[k].bytes;
		sum.exclusive += f->kinds[k].exclusive;
	}
	return sum;
}

/*
 * Of it, what a parent or child maps too. The kernel's own sum is the more, where single pages could not be
 * asked.
 */
uint64_t facts_shared_anonymous(const struct facts *f)
{
	struct kind_sum anon = anonymous(f);
	uint64_t elsewhere = anon.bytes > anon.exclusive ? anon.bytes - anon.exclusive : 0;

	return min(elsewhere, f->e->kernel.shared);
}

/* In use, and what malloc and pymalloc need to keep it. */
static uint64_t data_bytes(const struct facts *f)
{
	return f->kinds[MEMORY_PY_LIVE].bytes + f->kinds[MEMORY_PY_OVERHEAD].bytes +
	       f->kinds[MEMORY_HEAP_USED].bytes + f->kinds[MEMORY_ARENA_USED].bytes +
	       f->kinds[MEMORY_ARENA_OVERHEAD].bytes + f->kinds[MEMORY_MMAPPED].bytes;
}

static struct kind_sum files(const struct facts *f)
{
	return facts_sum(f, MEMORY_FILE_TEXT, MEMORY_BSS);
}

uint64_t finding_bytes(const struct facts *f, enum finding finding)
{
	uint64_t heap_free = facts_sum(f, MEMORY_HEAP_FREE, MEMORY_HEAP_TOP).bytes;

	switch (finding) {
	case FINDING_POOLS_PINNED:
		return facts_sum(f, MEMORY_PY_FREE, MEMORY_PY_NEVER).bytes;
	case FINDING_HEAP_FREE:
		return threshold_matters(f) ? 0 : heap_free;
	case FINDING_THRESHOLD_GREW:
		return threshold_matters(f) ? heap_free : 0;
	case FINDING_ARENAS_FREE:
		return facts_sum(f, MEMORY_ARENA_FREE, MEMORY_ARENA_TOP).bytes;
	case FINDING_DATA:
		return data_bytes(f);
	case FINDING_OTHER_MALLOC:
		return f->kinds[MEMORY_OTHER_MALLOC].bytes;
	case FINDING_FILES:
		return files(f).bytes;
	case FINDING_SHARED:
		return f->kinds[MEMORY_SHARED].bytes;
	case FINDING_STACKS:
		return facts_sum(f, MEMORY_STACK, MEMORY_DATA_STACK).bytes;
	case FINDING_COPIED:
		return facts_notable(f, facts_shared_anonymous(f)) ? anonymous(f).bytes : 0;
	case FINDING_HEAP_UNKNOWN:
		return f->kinds[MEMORY_HEAP_UNKNOWN].bytes;
	case FINDING_ANONYMOUS:
		return f->kinds[MEMORY_ANONYMOUS].bytes;
	case FINDING_SWAPPED:
		return f->e->kernel.swap;
	case FINDING_HUGETLB:
		return f->e->kernel.hugetlb;
	case FINDING_SMALL:
	case FINDINGS:
		break;
	}
	return 0;
}

struct data_part {
	uint64_t bytes;
	char text[96];
};

static void larger_first(struct data_part *parts, size_t nr)
{
	for (size_t i = 1; i < nr; i++)
		for (size_t k = i; k && parts[k - 1].bytes < parts[k].bytes; k--) {
			struct data_part tmp = parts[k];

			parts[k] = parts[k - 1];
			parts[k - 1] = tmp;
		}
}

/*
 * "80 % of RSS (137.6 MiB) is in use: 125.1 MiB in 55 large blocks that malloc mapped one by one, 12.1 MiB in
 * chunks of malloc's heap."
 */
static void data_say(const struct facts *f, char text[static VERDICT_TEXT])
{
	const struct heap_stats *h = &f->e->heap;
	struct data_part parts[] = {
		{f->kinds[MEMORY_MMAPPED].bytes, "large blocks that malloc mapped one by one"},
		{f->kinds[MEMORY_HEAP_USED].bytes + f->kinds[MEMORY_ARENA_USED].bytes,
		 "chunks of malloc's heap"},
		{f->kinds[MEMORY_PY_LIVE].bytes, ""},
	};
	uint64_t bytes = data_bytes(f);
	const char *next = ": ";
	struct words w = {0};

	if (f->trim_known && h->hblks > 1)
		snprintf(parts[0].text, sizeof(parts[0].text),
			 "%s large blocks that malloc mapped one by one",
			 word_number(&w, h->hblks));
	snprintf(parts[2].text, sizeof(parts[2].text), "Python's small blocks (%s of them)",
		 word_number(&w, f->e->pools.live_blocks));
	larger_first(parts, ARRAY_SIZE(parts));
	say(text, "%s of RSS (%s) is in use", word_percent(&w, bytes, f->total),
	    word_size(&w, bytes));
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (!parts[i].bytes || parts[i].bytes < bytes / 10)
			continue;
		say(text, "%s%s in %s", next, word_size(&w, parts[i].bytes), parts[i].text);
		next = ", ";
	}
	say(text, ".");
}

static void other_malloc_say(const struct facts *f, char text[static VERDICT_TEXT])
{
	const struct explanation_row *most = NULL;
	uint64_t bytes = f->kinds[MEMORY_OTHER_MALLOC].bytes;
	struct words w = {0};
	char name[168];

	for (size_t i = 0; i < f->e->nr_rows; i++) {
		const struct explanation_row *r = &f->e->rows[i];

		if (r->kind == MEMORY_OTHER_MALLOC && (!most || r->bytes > most->bytes))
			most = r;
	}
	say(text, "%s of RSS (%s) is memory of ", word_percent(&w, bytes, f->total),
	    word_size(&w, bytes));
	say(text, "%s, which is not looked into: how much of it is free is not known.",
	    most && most->name && plain(name, most->name) ? name : "another allocator");
	if (!f->e->has_heap && strcmp(f->e->malloc, "musl") != 0)
		say(text, " malloc_trim(0) is glibc's and does nothing for it.");
}

static void files_say(const struct facts *f, char text[static VERDICT_TEXT])
{
	uint64_t bytes = files(f).bytes;
	uint64_t cache = facts_sum(f, MEMORY_FILE_TEXT, MEMORY_FILE_OTHER).bytes;
	struct words w = {0};

	say(text, "%s of RSS (%s) is programs, libraries and other files",
	    word_percent(&w, bytes, f->total), word_size(&w, bytes));
	if (cache)
		say(text, "; %s of it is page cache, which the kernel can take back",
		    word_size(&w, cache));
	say(text, ".");
}

static void copied_say(const struct facts *f, char text[static VERDICT_TEXT])
{
	uint64_t all = anonymous(f).bytes, shared = facts_shared_anonymous(f);
	struct words w = {0};

	say(text,
	    "It shares anonymous memory with a parent or child: of %s, %s is its own (written "
	    "or allocated since the fork), ",
	    word_size(&w, all), word_size(&w, all - shared));
	say(text, "%s shared. RSS counts that in each of them", word_size(&w, shared));
	if (f->e->kernel.pss)
		say(text, "; its share (Pss) is %s", word_size(&w, f->e->kernel.pss));
	say(text, ".");
}

static void anonymous_say(const struct facts *f, char text[static VERDICT_TEXT])
{
	uint64_t bytes = f->kinds[MEMORY_ANONYMOUS].bytes;
	const struct explanation *e = f->e;
	struct words w = {0};
	char why[168];

	say(text, "%s of RSS (%s) is anonymous memory that no known allocator has",
	    word_percent(&w, bytes, f->total), word_size(&w, bytes));
	if (!e->has_pools && !e->python.version_hex && plain(why, e->pools_why))
		say(text, ". No Python that is known: %s", why);
	else if (!e->has_heap && !e->malloc[0] && plain(why, e->heap_why))
		say(text, ". The heap was not looked into: %s", why);
	else if (e->has_heap && e->heap.settled && plain(why, e->heap.why_not))
		say(text, ". The heap was not classified: %s", why);
	else if (plain(why, e->library_mallocs))
		say(text,
		    ". Libraries that bring an allocator of their own are loaded, and what "
		    "those map looks like this: %s",
		    why);
	say(text, ".");
}

static void unknown_say(const struct facts *f, char text[static VERDICT_TEXT])
{
	uint64_t bytes = f->kinds[MEMORY_HEAP_UNKNOWN].bytes;
	struct words w = {0};
	char why[168];

	say(text, "%s of RSS (%s) is heap of glibc that was not classified",
	    word_percent(&w, bytes, f->total), word_size(&w, bytes));
	if (plain(why, f->e->heap.why_not) || plain(why, f->e->heap_why))
		say(text, ": %s", why);
	say(text, ". How much of it is free is not known.");
}

static void small_say(const struct facts *f, char text[static VERDICT_TEXT])
{
	uint64_t cache = facts_sum(f, MEMORY_FILE_TEXT, MEMORY_FILE_OTHER).bytes;
	struct words w = {0};

	say(text, "RSS is %s", word_size(&w, f->total));
	if (cache >= f->total / 10 && cache)
		say(text, ", %s of it programs and libraries (page cache)",
		    word_percent(&w, cache, f->total));
	say(text, ": nothing stands out.");
}

static void plain_say(const struct facts *f, enum finding finding, char text[static VERDICT_TEXT])
{
	uint64_t bytes = finding_bytes(f, finding);
	struct words w = {0};

	if (finding == FINDING_SHARED)
		say(text,
		    "%s of RSS (%s) is shared memory (MAP_SHARED, memfd, tmpfs): it stays as long "
		    "as anybody maps or holds it.",
		    word_percent(&w, bytes, f->total), word_size(&w, bytes));
	else if (finding == FINDING_STACKS)
		say(text, "%s of RSS (%s) is stacks of %s threads and of Python's frames.",
		    word_percent(&w, bytes, f->total), word_size(&w, bytes),
		    word_number(&w, f->e->threads));
	else if (finding == FINDING_HUGETLB)
		say(text,
		    "%s more is in pages of hugetlbfs (MAP_HUGETLB, glibc.malloc.hugetlb=2): no part "
		    "of RSS.",
		    word_size(&w, bytes));
	else
		say(text, "%s more is swapped out: no part of RSS, and slow to touch.",
		    word_size(&w, bytes));
}

/* Where pages are huge, what was never touched is resident too. */
static void huge_say(const struct facts *f, enum memory_kind first, enum memory_kind last,
		     char text[static VERDICT_TEXT])
{
	struct kind_sum sum = facts_sum(f, first, last);
	struct words w = {0};

	if (sum.huge >= NOTABLE_BYTES && sum.huge >= sum.bytes / 4)
		say(text,
		    " %s of it is in huge pages (THP), resident as a whole once a byte is "
		    "touched.",
		    word_size(&w, sum.huge));
}

void finding_say(const struct facts *f, enum finding finding, char text[static VERDICT_TEXT])
{
	switch (finding) {
	case FINDING_POOLS_PINNED:
		pools_say(f, text);
		huge_say(f, MEMORY_PY_FREE, MEMORY_PY_NEVER, text);
		break;
	case FINDING_HEAP_FREE:
		heap_free_say(f, text);
		huge_say(f, MEMORY_HEAP_FREE, MEMORY_HEAP_TOP, text);
		break;
	case FINDING_THRESHOLD_GREW:
		threshold_grew_say(f, text);
		break;
	case FINDING_ARENAS_FREE:
		arenas_free_say(f, text);
		huge_say(f, MEMORY_ARENA_FREE, MEMORY_ARENA_TOP, text);
		break;
	case FINDING_DATA:
		data_say(f, text);
		huge_say(f, MEMORY_MMAPPED, MEMORY_MMAPPED, text);
		break;
	case FINDING_OTHER_MALLOC:
		other_malloc_say(f, text);
		break;
	case FINDING_FILES:
		files_say(f, text);
		break;
	case FINDING_COPIED:
		copied_say(f, text);
		break;
	case FINDING_HEAP_UNKNOWN:
		unknown_say(f, text);
		break;
	case FINDING_ANONYMOUS:
		anonymous_say(f, text);
		huge_say(f, MEMORY_ANONYMOUS, MEMORY_ANONYMOUS, text);
		break;
	case FINDING_SHARED:
	case FINDING_STACKS:
	case FINDING_SWAPPED:
	case FINDING_HUGETLB:
		plain_say(f, finding, text);
		break;
	case FINDING_SMALL:
		small_say(f, text);
		break;
	case FINDINGS:
		break;
	}
}
