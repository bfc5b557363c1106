/* SPDX-License-Identifier: MIT */
/*
 * What would give memory back, and how much of it, by this process's own figures. Computed: what freeing
 * the survivors and malloc_trim(0) return. What a variable in the environment would have saved depends
 * on the order of things, which no snapshot knows: of that, the most that it can be.
 */
#include "model/verdict_internal.h"

#include "base/cleanup.h"

#include <string.h>

#define TRIM_HOW "ctypes.CDLL(None).malloc_trim(0)"

static bool worth_it(const struct facts *f, uint64_t bytes)
{
	return bytes >= REMEDY_BYTES && bytes >= f->total / 100 * REMEDY_PERCENT;
}

/* The text is the caller's to write. */
static struct verdict_remedy *add(struct verdict *v, const struct facts *f, enum remedy remedy,
				  uint64_t bytes, bool exact)
{
	/* five at most are called: of the two thresholds there is one */
	struct verdict_remedy *r = &v->remedies[v->nr_remedies++];

	*r = (struct verdict_remedy){
		.remedy = remedy, .bytes = min(bytes, f->total), .exact = exact};
	return r;
}

static const char *up_to(bool exact)
{
	return exact ? "" : "up to ";
}

/* Most of it is mapped by others too: RSS falls, and no memory becomes free. */
static void say_shared(struct kind_sum sum, char text[static VERDICT_TEXT])
{
	if (sum.exclusive < sum.bytes / 2)
		say(text, " Most of that is shared with a parent or child, and stays with them.");
}

/* --- the process as it runs -------------------------------------------------------------------- */

static uint64_t trim_bytes(const struct facts *f)
{
	return f->heap_known ? min(f->e->heap.trim_bytes, f->total) : 0;
}

/*
 * "freeing those 412,870 blocks, or a restart, returns 1.9 GiB; malloc_trim(0) would return 96.0 KiB;
 * gc.collect() nothing, unless the survivors are garbage in cycles."
 */
static void free_survivors(const struct facts *f, struct verdict *v)
{
	const struct pool_stats *p = &f->e->pools;
	bool exact = !f->e->approximate && !p->pools_lost && !p->returned_unsure;
	struct verdict_remedy *r;
	struct words w = {0};

	if (!f->e->has_pools || !p->sparse_blocks || !worth_it(f, p->returned_bytes))
		return;
	r = add(v, f, REMEDY_FREE_SURVIVORS, p->returned_bytes, exact);
	if (f->sparse && verdict_has(v, FINDING_POOLS_PINNED))
		say(r->text, "freeing those %s blocks", word_number(&w, p->sparse_blocks));
	else
		say(r->text, "freeing the %s blocks in pymalloc pools that are under %d %% full",
		    word_number(&w, p->sparse_blocks), POOL_SPARSE_PERCENT);
	say(r->text, ", or a restart, returns %s%s; ", up_to(exact), word_size(&w, r->bytes));
	if (f->trim_known && exact && !worth_it(f, trim_bytes(f)))
		say(r->text, "malloc_trim(0) would return %s; ", word_size(&w, trim_bytes(f)));
	say(r->text, "gc.collect() nothing, unless the survivors are garbage in cycles.");
	say_shared(facts_sum(f, MEMORY_PY_LIVE, MEMORY_PY_OVERHEAD), r->text);
}

static void trim(const struct facts *f, struct verdict *v)
{
	struct kind_sum heap = facts_sum(f, MEMORY_HEAP_FREE, MEMORY_HEAP_TOP);
	struct kind_sum arenas = facts_sum(f, MEMORY_ARENA_FREE, MEMORY_ARENA_TOP);
	uint64_t bytes = trim_bytes(f);
	struct verdict_remedy *r;
	struct words w = {0};

	if (!worth_it(f, bytes))
		return;
	r = add(v, f, REMEDY_TRIM, bytes, f->trim_known);
	say(r->text, "malloc_trim(0) returns %s%s; the process has to call it: " TRIM_HOW ".",
	    up_to(f->trim_known), word_size(&w, bytes));
	heap.bytes += arenas.bytes;
	heap.exclusive += arenas.exclusive;
	say_shared(heap, r->text);
}

/* --- its next start ---------------------------------------------------------------------------- */

static uint64_t all_free(const struct facts *f)
{
	return facts_sum(f, MEMORY_HEAP_FREE, MEMORY_HEAP_TOP).bytes +
	       facts_sum(f, MEMORY_ARENA_FREE, MEMORY_ARENA_TOP).bytes;
}

static void arena_max(const struct facts *f, struct verdict *v)
{
	uint64_t bytes = facts_sum(f, MEMORY_ARENA_FREE, MEMORY_ARENA_TOP).bytes;
	struct verdict_remedy *r;
	struct words w = {0};

	if (!f->heap_known || f->e->heap.arenas < 3 || !facts_notable(f, bytes))
		return;
	r = add(v, f, REMEDY_ARENA_MAX, bytes, false);
	say(r->text,
	    "MALLOC_ARENA_MAX=1 at the next start saves up to %s, if the threads peak at "
	    "different times; little if they peak together.",
	    word_size(&w, r->bytes));
}

/*
 * The largest threshold at which most free memory lies between chunks that would be mappings of their
 * own. 0: they are too small for that. Of what was freed nobody knows the sizes any more.
 */
static uint64_t pin_threshold(const struct heap_stats *h)
{
	uint64_t pinned = h->trim_bytes - min(h->trim_bytes, h->trim_top), above = 0;

	for (int i = HEAP_PINS - 1; i > 0; i--) {
		above += h->trim_pinned[i];
		if (above >= pinned / 2 && above)
			return HEAP_PIN_SMALL << (i - 1);
	}
	return 0;
}

static void mmap_threshold(const struct facts *f, struct verdict *v)
{
	const struct heap_stats *h = &f->e->heap;
	uint64_t pinned = h->trim_bytes - min(h->trim_bytes, h->trim_top);
	uint64_t threshold = pin_threshold(h);
	struct verdict_remedy *r;
	struct words w = {0};

	if (!f->heap_known || !facts_notable(f, pinned))
		return;
	if (threshold && h->mmap_threshold > threshold) {
		r = add(v, f, REMEDY_MMAP_THRESHOLD, all_free(f), false);
		say(r->text,
		    "MALLOC_MMAP_THRESHOLD_=%llu at the next start saves up to %s, if what was "
		    "freed was blocks of that size or more, as those in use in between are: each "
		    "is then a mapping of its own, at the cost of system calls.",
		    (unsigned long long)threshold, word_size(&w, r->bytes));
	} else if (!threshold && threshold_matters(f) && h->trim_large >= pinned / 2) {
		r = add(v, f, REMEDY_MMAP_THRESHOLD, all_free(f), false);
		say(r->text,
		    "MALLOC_MMAP_THRESHOLD_=%llu at the next start saves up to %s, if what was "
		    "freed was blocks of that size or more: the thresholds then do not grow, "
		    "and such blocks stay out of the heap.",
		    (unsigned long long)HEAP_MAP_DEFAULT, word_size(&w, r->bytes));
	}
}

static bool trim_threshold(const struct facts *f, struct verdict *v)
{
	const struct heap_stats *h = &f->e->heap;
	struct verdict_remedy *r;
	struct words w = {0};

	if (!f->heap_known || h->trim_threshold <= HEAP_MAP_DEFAULT ||
	    !facts_notable(f, h->trim_top))
		return false;
	r = add(v, f, REMEDY_TRIM_THRESHOLD,
		h->thresholds_grew ? all_free(f) : f->kinds[MEMORY_HEAP_TOP].bytes, false);
	say(r->text, "MALLOC_TRIM_THRESHOLD_=%llu at the next start saves up to %s: ",
	    (unsigned long long)HEAP_MAP_DEFAULT, word_size(&w, r->bytes));
	if (h->thresholds_grew)
		say(r->text, "the thresholds then do not grow, and the heap's end is given back.");
	else
		say(r->text, "the heap's end is then given back, of which %s may stay now.",
		    word_size(&w, h->trim_threshold));
	return true;
}

/*
 * Which of the copies the garbage collector made, and which reference counts, cannot be seen; nor which of
 * its own memory the process made by itself. But more than its parent has, less what is still shared, it
 * cannot have copied; and one whose parent is another program was not forked by it.
 */
static void freeze(const struct facts *f, struct verdict *v)
{
	struct kind_sum py = facts_sum(f, MEMORY_PY_LIVE, MEMORY_PY_OVERHEAD);
	uint64_t bytes = py.exclusive + f->kinds[MEMORY_HEAP_USED].exclusive;
	uint64_t parent = f->e->parent_anon;
	struct verdict_remedy *r;
	struct words w = {0};

	parent -= min(parent, facts_shared_anonymous(f));
	bytes = min(bytes, parent);
	if (!verdict_has(v, FINDING_COPIED) || !f->e->has_pools ||
	    f->e->python.version_hex < 0x03070000 || !facts_notable(f, bytes))
		return;
	r = add(v, f, REMEDY_FREEZE, bytes, false);
	say(r->text,
	    "gc.freeze() in the parent before it forks: the garbage collector then does not copy "
	    "what the parent made, up to %s. Reference counts copy it all the same; RSS stays, "
	    "Pss falls.",
	    word_size(&w, r->bytes));
}

/* --- all of them ------------------------------------------------------------------------------- */

static bool is_wasted(const struct verdict *v)
{
	return verdict_has(v, FINDING_POOLS_PINNED) || verdict_has(v, FINDING_HEAP_FREE) ||
	       verdict_has(v, FINDING_ARENAS_FREE) || verdict_has(v, FINDING_THRESHOLD_GREW);
}

static void nothing(const struct facts *f, struct verdict *v)
{
	struct verdict_remedy *r = add(v, f, REMEDY_NOTHING, 0, true);
	struct words w = {0};

	if (verdict_has(v, FINDING_SMALL))
		say(r->text, "none is needed");
	else if (f->kinds[MEMORY_HEAP_UNKNOWN].bytes)
		say(r->text, "none that can be computed as long as the heap is not classified");
	else if (is_wasted(v))
		say(r->text,
		    "none: the free memory serves new objects, and lies where it cannot be "
		    "given back");
	else if (v->sentences[0].finding == FINDING_DATA)
		say(r->text, "none: it is data, and only the program can let go of it");
	else
		say(r->text, "none that can be computed from what is seen here");
	if (f->trim_known)
		say(r->text, "; malloc_trim(0) would return %s", word_size(&w, trim_bytes(f)));
	say(r->text, ".");
}

/* Those of one part, the largest first. */
static void sort(struct verdict_remedy *r, size_t nr)
{
	for (size_t i = 1; i < nr; i++)
		for (size_t k = i; k && r[k - 1].bytes < r[k].bytes; k--) {
			struct verdict_remedy tmp = r[k];

			r[k] = r[k - 1];
			r[k - 1] = tmp;
		}
}

void remedies_of(const struct facts *f, struct verdict *v)
{
	size_t now;

	if (!verdict_has(v, FINDING_SMALL)) {
		free_survivors(f, v);
		trim(f, v);
		now = v->nr_remedies;
		sort(v->remedies, now);
		arena_max(f, v);
		if (!trim_threshold(f, v))
			mmap_threshold(f, v);
		freeze(f, v);
		sort(v->remedies + now, v->nr_remedies - now);
	}
	if (!v->nr_remedies)
		nothing(f, v);
}
