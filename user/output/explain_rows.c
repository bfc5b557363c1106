/* SPDX-License-Identifier: MIT */
/*
 *	pymalloc			<- a group: its kinds below it, the largest first
 *	  free blocks in used pools
 *	  other				<- kinds of this group that are small
 *	programs, libraries, files
 *	  text and read-only data of files
 *	    libc.so.6			<- with names
 *	other				<- groups that are small
 */
#include "output/explain_rows.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

/* What is in a kind or a group. weight: by how much it counts, which in a difference is not its sum. */
struct node {
	int id;
	struct explain_amount amount;
	uint64_t weight;
	size_t nr; /* leaves of a kind, kinds of a group */
	bool named;
};

struct tree {
	const struct explain_leaf *leaves;
	size_t *order; /* of leaves: by kind, the heaviest first */
	size_t nr;
	struct node kinds[MEMORY_KINDS], groups[MEMORY_GROUPS];
	uint64_t weight;
	struct explain_amount sum;
	size_t kinds_of[MEMORY_GROUPS]; /* that there are, with bytes or without */
};

static uint64_t weight_of(const struct explain_leaf *l)
{
	int64_t bytes = l->amount.bytes;

	return bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes;
}

static void add(struct explain_amount *to, const struct explain_amount *what)
{
	/* sums of what others say: where they cannot be, wrong figures and no undefined behaviour */
	to->bytes = (int64_t)((uint64_t)to->bytes + (uint64_t)what->bytes);
	to->huge = (int64_t)((uint64_t)to->huge + (uint64_t)what->huge);
	to->exclusive = (int64_t)((uint64_t)to->exclusive + (uint64_t)what->exclusive);
}

static int compare_nodes(const void *a, const void *b)
{
	const struct node *p = a, *q = b;

	if (p->weight != q->weight)
		return p->weight > q->weight ? -1 : 1;
	return p->id - q->id;
}

static int compare_leaves(const void *a, const void *b, void *arg)
{
	const struct explain_leaf *p = (const struct explain_leaf *)arg + *(const size_t *)a;
	const struct explain_leaf *q = (const struct explain_leaf *)arg + *(const size_t *)b;
	uint64_t m = weight_of(p), n = weight_of(q);

	if (p->kind != q->kind)
		return p->kind < q->kind ? -1 : 1;
	if (m != n)
		return m > n ? -1 : 1;
	return strcmp(p->name, q->name);
}

static int grow(struct tree *t, const struct explain_leaf *leaves, size_t nr)
{
	t->leaves = leaves;
	t->nr = nr;
	t->order = calloc(nr + 1, sizeof(*t->order));
	if (!t->order)
		return -ENOMEM;
	for (int g = 0; g < MEMORY_GROUPS; g++)
		t->groups[g].id = g;
	for (int k = 0; k < MEMORY_KINDS; k++) {
		t->kinds[k].id = k;
		t->kinds_of[memory_kind_group((enum memory_kind)k)]++;
	}
	for (size_t i = 0; i < nr; i++) {
		struct node *kind = &t->kinds[leaves[i].kind];
		struct node *group = &t->groups[memory_kind_group(leaves[i].kind)];
		uint64_t weight = weight_of(&leaves[i]);

		t->order[i] = i;
		group->nr += weight && !kind->weight;
		kind->nr += weight != 0;
		kind->named |= leaves[i].name[0] != 0;
		kind->weight += weight;
		group->weight += weight;
		t->weight += weight;
		add(&kind->amount, &leaves[i].amount);
		add(&group->amount, &leaves[i].amount);
		add(&t->sum, &leaves[i].amount);
	}
	qsort_r(t->order, nr, sizeof(*t->order), compare_leaves, (void *)leaves);
	qsort(t->groups, MEMORY_GROUPS, sizeof(*t->groups), compare_nodes);
	return 0;
}

static bool is_small(const struct tree *t, const struct node *n, unsigned int percent)
{
	return (double)n->weight * 100 < (double)t->weight * percent;
}

static void push(struct explain_lines *to, const struct explain_line *l)
{
	to->v[to->nr++] = *l;
}

static void push_names(struct explain_lines *to, const struct tree *t, int kind,
		       unsigned int indent)
{
	for (size_t i = 0; i < t->nr; i++) {
		const struct explain_leaf *l = &t->leaves[t->order[i]];

		if ((int)l->kind != kind || !weight_of(l))
			continue;
		push(to, &(struct explain_line){.indent = indent,
						.text = *l->name ? NULL : "(no name)",
						.name = l->name,
						.amount = l->amount});
	}
}

static void push_kinds(struct explain_lines *to, const struct tree *t, int group, bool names)
{
	/* a group of one kind is that kind */
	bool own_lines = t->kinds_of[group] > 1;
	struct explain_line other = {.indent = 1, .text = "other"};
	struct node kinds[MEMORY_KINDS];
	size_t nr = 0, small = 0;

	for (int k = 0; k < MEMORY_KINDS; k++)
		if ((int)memory_kind_group((enum memory_kind)k) == group && t->kinds[k].weight)
			kinds[nr++] = t->kinds[k];
	qsort(kinds, nr, sizeof(*kinds), compare_nodes);
	for (size_t i = 0; i < nr; i++)
		small += is_small(t, &kinds[i], to->percent);
	for (size_t i = 0; i < nr; i++) {
		struct explain_line l = {.indent = 1,
					 .text = memory_kind_text((enum memory_kind)kinds[i].id),
					 .amount = kinds[i].amount};

		if (own_lines && small > 1 && is_small(t, &kinds[i], to->percent)) {
			other.folded++;
			add(&other.amount, &l.amount);
		} else if (own_lines) {
			push(to, &l);
		}
		if (names && (kinds[i].nr > 1 || kinds[i].named))
			push_names(to, t, kinds[i].id, own_lines ? 2 : 1);
	}
	if (other.folded)
		push(to, &other);
}

static void push_all(struct explain_lines *to, const struct tree *t, bool names)
{
	struct explain_line other = {.text = "other"};
	size_t small = 0;

	to->nr = 0;
	for (int i = 0; i < MEMORY_GROUPS; i++)
		if (is_small(t, &t->groups[i], to->percent))
			small += t->groups[i].nr;
	for (int i = 0; i < MEMORY_GROUPS; i++) {
		const struct node *g = &t->groups[i];

		if (!g->weight)
			continue;
		if (small > 1 && is_small(t, g, to->percent)) {
			other.folded += g->nr;
			add(&other.amount, &g->amount);
			continue;
		}
		push(to, &(struct explain_line){.text = memory_group_text((enum memory_group)g->id),
						.amount = g->amount});
		push_kinds(to, t, g->id, names);
	}
	if (other.folded)
		push(to, &other);
}

int explain_rows(const struct explain_leaf *leaves, size_t nr, bool names, unsigned int percent,
		 struct explain_lines *ret)
{
	static const unsigned int more[] = {2, 5, 10, 20};
	struct tree t = {0};
	int err = grow(&t, leaves, nr);

	*ret = (struct explain_lines){.percent = percent, .sum = t.sum};
	if (!err) {
		/* a group and a kind with each name, and what is folded */
		ret->v = calloc(nr + MEMORY_KINDS + 2 * MEMORY_GROUPS + 1, sizeof(*ret->v));
		err = ret->v ? 0 : -ENOMEM;
	}
	if (!err)
		push_all(ret, &t, names);
	for (size_t i = 0; !err && percent && ret->nr > EXPLAIN_LINES && i < ARRAY_SIZE(more);
	     i++) {
		ret->percent = more[i];
		push_all(ret, &t, names);
	}
	free(t.order);
	return err;
}
