/* SPDX-License-Identifier: MIT */
/*
 * Why pymalloc has memory that no object is in:
 *
 *	pool	|o..............|	few blocks pin it; free ones serve this size only
 *	arena	|pool|    |    |	pools without a block, pinned by the arena's others
 *	pool	|ooooo          |	not used yet: resident only where pages are huge
 */
#include "model/verdict_internal.h"

#include "base/cleanup.h"

static void say_sparse(const struct facts *f, struct words *w, char text[static VERDICT_TEXT])
{
	const struct pool_stats *p = &f->e->pools;

	say(text, "%s of %s pools are under %d %% full", word_number(w, p->sparse_pools),
	    word_number(w, p->pools_used), POOL_SPARSE_PERCENT);
}

static void say_free_blocks(const struct facts *f, struct words *w, const char *part,
			    const char *size, char text[static VERDICT_TEXT])
{
	const struct pool_stats *p = &f->e->pools;

	if (f->sparse) {
		say(text, "%s of RSS (%s) is free blocks in pymalloc pools that %s survivors pin (",
		    part, size,
		    word_percent(w, min(p->sparse_live_bytes, p->sparse_resident),
				 p->sparse_resident));
		say_sparse(f, w, text);
		say(text, ").");
		return;
	}
	say(text,
	    "%s of RSS (%s) is free blocks in %s pymalloc pools, which new objects of the same "
	    "sizes will use. ",
	    part, size, word_number(w, p->pools_used));
	say(text, "Most of that is not pinned by a few survivors: ");
	say_sparse(f, w, text);
	say(text, ".");
}

static void say_free_pools(const struct facts *f, struct words *w, const char *part,
			   const char *size, char text[static VERDICT_TEXT])
{
	const struct pool_stats *p = &f->e->pools;

	say(text, "%s of RSS (%s) is free memory in %s pymalloc arenas (%s each) that ", part, size,
	    word_number(w, p->arenas), word_size(w, p->arena_bytes));
	say(text, "survivors keep: %s is free pools, %s free blocks",
	    word_percent(w, f->kinds[MEMORY_PY_FREE_POOLS].bytes, f->total),
	    word_percent(w, f->kinds[MEMORY_PY_FREE].bytes, f->total));
	if (p->sparse_pools) {
		say(text, "; ");
		say_sparse(f, w, text);
	}
	say(text, ".");
}

void pools_say(const struct facts *f, char text[static VERDICT_TEXT])
{
	struct kind_sum all = facts_sum(f, MEMORY_PY_FREE, MEMORY_PY_NEVER);
	uint64_t never = f->kinds[MEMORY_PY_NEVER].bytes;
	struct words w = {0};
	const char *part = word_percent(&w, all.bytes, f->total);
	const char *size = word_size(&w, all.bytes);

	if (never >= all.bytes / 2)
		say(text,
		    "%s of RSS (%s) is memory of pymalloc that no object is in, most of it never "
		    "used.",
		    part, size);
	else if (f->kinds[MEMORY_PY_FREE_POOLS].bytes >= all.bytes / 2)
		say_free_pools(f, &w, part, size, text);
	else
		say_free_blocks(f, &w, part, size, text);
}
