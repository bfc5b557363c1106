/* SPDX-License-Identifier: MIT */
/*
 * The tree is tsearch()'s. Ranges that overlap or touch compare as equal: those in the tree never do,
 * so the order is total there, and a look-up of a new one finds all that it joins, one by one.
 */
#include "model/account_taken.h"

#include "base/cleanup.h"

#include <errno.h>
#include <search.h>

static int compare_apart(const void *x, const void *y)
{
	const struct range *a = x, *b = y;

	return a->end < b->start ? -1 : a->start > b->end;
}

static int compare_found(const void *x, const void *y)
{
	return compare_apart(*(struct range *const *)x, *(struct range *const *)y);
}

static void forget_found(struct taken *t, size_t from)
{
	for (size_t i = from; i < t->nr_found; i++)
		free(t->found[i]);
	t->nr_found = 0;
}

/* Moves all that touch key from the tree to t->found. */
static int find_all(struct taken *t, const struct range *key)
{
	struct range **node;

	while ((node = tfind(key, &t->tree, compare_apart))) {
		struct range *r = *node;

		if (t->nr_found == t->size_found) {
			size_t size = max(t->size_found * 2, (size_t)16);
			struct range **more = reallocarray(t->found, size, sizeof(*more));

			if (!more)
				return -ENOMEM;
			t->found = more;
			t->size_found = size;
		}
		t->found[t->nr_found++] = r;
		tdelete(r, &t->tree, compare_apart);
	}
	if (t->nr_found > 1)
		qsort(t->found, t->nr_found, sizeof(struct range *), compare_found);
	return 0;
}

/* What lies between those found. */
static size_t gaps(const struct taken *t, const struct range *key, struct range *ret)
{
	uint64_t at = key->start;
	size_t nr = 0;

	for (size_t i = 0; i < t->nr_found; i++) {
		const struct range *r = t->found[i];

		if (r->start > at)
			ret[nr++] = (struct range){at, r->start};
		at = max(at, r->end);
	}
	if (at < key->end)
		ret[nr++] = (struct range){at, key->end};
	return nr;
}

int taken_add(struct taken *t, uint64_t start, uint64_t end, struct range **ret, size_t *ret_nr)
{
	struct range key = {start, end}, *joined;
	_cleanup_free_ struct range *free_ranges = NULL;
	int err = find_all(t, &key);

	if (err)
		return err;
	free_ranges = reallocarray(NULL, t->nr_found + 1, sizeof(*free_ranges));
	if (!free_ranges)
		return -ENOMEM;
	*ret_nr = gaps(t, &key, free_ranges);
	if (t->nr_found) {
		joined = t->found[0];
		joined->start = min(joined->start, start);
		joined->end = max(t->found[t->nr_found - 1]->end, end);
	} else {
		joined = malloc(sizeof(*joined));
		if (!joined)
			return -ENOMEM;
		*joined = key;
	}
	forget_found(t, 1);
	if (!tsearch(joined, &t->tree, compare_apart)) {
		free(joined);
		return -ENOMEM;
	}
	*ret = steal_ptr(free_ranges);
	return 0;
}

uint64_t taken_end(const struct taken *t, uint64_t addr)
{
	struct range key = {addr, addr};
	struct range *const *node = tfind(&key, &t->tree, compare_apart);

	/* one that only touches it ends there, and no other begins there: they would be one */
	return node && (*node)->start <= addr ? max((*node)->end, addr) : addr;
}

void taken_done(struct taken *t)
{
	forget_found(t, 0);
	free(t->found);
	tdestroy(t->tree, free);
	*t = (struct taken){0};
}
