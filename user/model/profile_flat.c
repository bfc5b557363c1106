/* SPDX-License-Identifier: MIT */
/* A profile by function, and the account of what was put down to whom. */
#include "model/profile_tree.h"

#include "base/cleanup.h"

#include <errno.h>

static void add_clamped(int64_t *to, int64_t bytes)
{
	if (__builtin_add_overflow(*to, max(bytes, (int64_t)0), to))
		*to = INT64_MAX;
}

void profile_sum(struct profile_change *to, const struct profile_change *c)
{
	add_clamped(&to->growth, c->growth);
	add_clamped(&to->shrink, c->shrink);
	if (__builtin_add_overflow(to->events, c->events, &to->events))
		to->events = UINT64_MAX;
}

const struct profile_process *profile_find_process(const struct profile *p, pid_t pid)
{
	for (uint32_t i = 0; i < p->nr_processes; i++)
		if (p->processes[i].pid == pid)
			return &p->processes[i];
	return NULL;
}

bool profile_several(const struct profile *p)
{
	pid_t first = p->nr_processes ? p->processes[0].pid : p->nr_threads ? p->threads[0].pid : 0;

	for (uint32_t i = 0; i < p->nr_threads; i++)
		if (p->threads[i].pid != first)
			return true;
	return p->nr_processes > 1;
}

static bool selected(const struct profile *p, const struct profile_select *s,
		     const struct profile_row *r)
{
	return r->event == s->event && (!s->pid || s->pid == p->threads[r->thread].pid);
}

/* The self figures of one line of a function. */
struct line {
	uint32_t function;
	int32_t line;
	struct profile_change self;
};

static int compare_lines(const void *x, const void *y)
{
	const struct line *a = x, *b = y;

	if (a->function != b->function)
		return a->function < b->function ? -1 : 1;
	return a->line < b->line ? -1 : a->line > b->line;
}

/* More growth; where nothing grew, more shrinkage. */
static bool is_more(const struct profile_change *a, const struct profile_change *b)
{
	return a->growth != b->growth ? a->growth > b->growth : a->shrink > b->shrink;
}

/* lines become sorted; by_function: the row of each function. */
static void find_lines(struct line *lines, size_t nr, struct profile_flat_row *by_function)
{
	struct profile_change most = {0};

	if (nr)
		qsort(lines, nr, sizeof(*lines), compare_lines);
	for (size_t i = 0; i < nr;) {
		struct line sum = lines[i];
		size_t k = i + 1;

		while (k < nr && !compare_lines(&lines[i], &lines[k]))
			profile_sum(&sum.self, &lines[k++].self);
		if (!i || lines[i - 1].function != sum.function)
			most = (struct profile_change){0};
		if (is_more(&sum.self, &most)) {
			most = sum.self;
			by_function[sum.function].line = sum.line;
		}
		i = k;
	}
}

static int compare_rows(const void *x, const void *y)
{
	const struct profile_flat_row *a = x, *b = y;
	int64_t s = profile_net(&a->self), t = profile_net(&b->self);

	if (s != t)
		return s > t ? -1 : 1;
	s = profile_net(&a->total);
	t = profile_net(&b->total);
	if (s != t)
		return s > t ? -1 : 1;
	return a->function < b->function ? -1 : 1;
}

/* Adds the row's change to every function of its stack, each once. seen: the last row of each. */
static void add_row(const struct profile *p, const struct profile_row *r, uint32_t stamp,
		    uint32_t *seen, struct profile_flat_row *by_function)
{
	const struct profile_stack *s = &p->stacks[r->stack];

	profile_sum(&by_function[s->frames[0].function].self, &r->change);
	for (uint32_t i = 0; i < s->nr; i++) {
		uint32_t f = s->frames[i].function;

		if (seen[f] == stamp)
			continue;
		seen[f] = stamp;
		profile_sum(&by_function[f].total, &r->change);
	}
}

int profile_flat_new(const struct profile *p, const struct profile_select *s,
		     struct profile_flat **ret)
{
	_cleanup_free_ struct profile_flat_row *rows = calloc(p->nr_functions + 1, sizeof(*rows));
	_cleanup_free_ uint32_t *seen = calloc(p->nr_functions + 1, sizeof(*seen));
	_cleanup_free_ struct line *lines = calloc(p->nr_rows + 1, sizeof(*lines));
	struct profile_flat *t = calloc(1, sizeof(*t));
	size_t nr = 0;

	if (!rows || !seen || !lines || !t) {
		free(t);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < p->nr_functions; i++)
		rows[i].function = i;
	for (uint32_t i = 0; i < p->nr_rows; i++) {
		const struct profile_row *r = &p->rows[i];
		const struct profile_frame *leaf = &p->stacks[r->stack].frames[0];

		if (!selected(p, s, r))
			continue;
		add_row(p, r, i + 1, seen, rows);
		lines[nr++] = (struct line){leaf->function, leaf->line, r->change};
	}
	find_lines(lines, nr, rows);
	for (uint32_t i = 0; i < p->nr_functions; i++)
		if (seen[i])
			rows[t->nr_rows++] = rows[i];
	if (t->nr_rows)
		qsort(rows, t->nr_rows, sizeof(*rows), compare_rows);
	t->rows = steal_ptr(rows);
	*ret = t;
	return 0;
}

void profile_flat_free(struct profile_flat *t)
{
	if (!t)
		return;
	free(t->rows);
	free(t);
}

void profile_account(const struct profile *p, const struct profile_select *s,
		     struct profile_account *ret)
{
	*ret = (struct profile_account){0};
	for (uint32_t i = 0; i < p->nr_rows; i++)
		if (selected(p, s, &p->rows[i]))
			profile_sum(&ret->attributed, &p->rows[i].change);
	for (uint32_t i = 0; i < p->nr_processes; i++) {
		const struct profile_process *of = &p->processes[i];

		if (s->pid && s->pid != of->pid)
			continue;
		add_clamped(&ret->rss_before, of->rss_before);
		add_clamped(&ret->rss_after, of->rss_after);
		for (int c = 0; c < PROFILE_CAUSES; c++) {
			profile_sum(&ret->causes[c], &of->causes[s->event][c]);
			profile_sum(&ret->unattributed, &of->causes[s->event][c]);
		}
	}
}
