/* SPDX-License-Identifier: MIT */
/* Two explanations side by side: rows are matched by kind and name, whatever their order. */
#include "model/explanation.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	const struct explanation_change *p = a, *q = b;

	if (p->kind != q->kind)
		return p->kind < q->kind ? -1 : 1;
	return strcmp(p->name, q->name);
}

static const char *name_of(const struct explanation_row *r)
{
	return r->name ? r->name : "";
}

/* Neighbours of one kind and name become one; those without a change go. */
static size_t merge(struct explanation_change *v, size_t nr)
{
	size_t kept = 0;

	for (size_t i = 0; i < nr;) {
		struct explanation_change c = v[i];

		for (i++; i < nr && compare(&c, &v[i]) == 0; i++) {
			c.before += v[i].before;
			c.after += v[i].after;
		}
		if (c.before != c.after)
			v[kept++] = c;
	}
	return kept;
}

int explanation_changes(const struct explanation *a, const struct explanation *b,
			struct explanation_change **ret, size_t *ret_nr)
{
	size_t nr = a->nr_rows + b->nr_rows;
	struct explanation_change *v = calloc(nr + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < a->nr_rows; i++)
		v[i] = (struct explanation_change){.kind = a->rows[i].kind,
						   .name = name_of(&a->rows[i]),
						   .before = a->rows[i].bytes};
	for (size_t i = 0; i < b->nr_rows; i++)
		v[a->nr_rows + i] = (struct explanation_change){.kind = b->rows[i].kind,
								.name = name_of(&b->rows[i]),
								.after = b->rows[i].bytes};
	qsort(v, nr, sizeof(*v), compare);
	*ret_nr = merge(v, nr);
	*ret = v;
	return 0;
}

bool explanation_same_process(const struct explanation *a, const struct explanation *b)
{
	return a->process.pid == b->process.pid && a->process.start_ticks == b->process.start_ticks;
}
