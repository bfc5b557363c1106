/* SPDX-License-Identifier: MIT */
/*
 * The tree of calls. Rows are sorted by their path from the root, so that each needs only what
 * differs from the path before it, and neither a hash table nor recursion is needed.
 */
#include "model/profile_tree.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

/* What a path is made of: a row, or a cause of a process. */
struct entry {
	pid_t pid;
	uint32_t thread;
	const struct profile_stack *stack; /* NULL: a cause */
	enum profile_cause cause;
	struct profile_change change;
};

struct builder {
	const struct profile *p;
	const struct profile_select *select;
	bool several;
	struct entry *entries;
	size_t nr;
	struct profile_stack *stacks; /* select->brief: the profile's, shortened */
	struct profile_frame *frames; /* theirs */
};

/* A step of a path: the node's kind and what it is of. 0: no step. */
static uint64_t step(enum profile_node_kind kind, uint32_t of)
{
	return (uint64_t)kind << 32 | of;
}

static uint64_t stack_step(const struct profile_stack *s, uint32_t i, bool inverted)
{
	if (s->truncated && !inverted) {
		if (!i)
			return step(PROFILE_NODE_TRUNCATED, 0);
		i--;
	}
	if (i < s->nr)
		return step(PROFILE_NODE_FUNCTION,
			    s->frames[inverted ? i : s->nr - 1 - i].function);
	return s->truncated && inverted && i == s->nr ? step(PROFILE_NODE_TRUNCATED, 0) : 0;
}

static uint64_t entry_step(const struct builder *b, const struct entry *e, uint32_t i)
{
	if (b->several) {
		if (!i)
			return step(PROFILE_NODE_PROCESS, (uint32_t)e->pid);
		i--;
	}
	if (!e->stack)
		return i ? 0 : step(PROFILE_NODE_CAUSE, e->cause);
	if (b->select->by_thread) {
		if (!i)
			return step(PROFILE_NODE_THREAD, e->thread);
		i--;
	}
	return stack_step(e->stack, i, b->select->inverted);
}

static int compare_paths(const void *x, const void *y, void *arg)
{
	const struct entry *a = x, *b = y;

	for (uint32_t i = 0;; i++) {
		uint64_t s = entry_step(arg, a, i), t = entry_step(arg, b, i);

		if (s != t)
			return s < t ? -1 : 1;
		if (!s)
			return 0;
	}
}

/* importlib/_bootstrap*.py are frozen into every interpreter, under these names since 3.3. */
static bool is_import(const struct profile_function *f)
{
	return f->kind == PROFILE_PYTHON && !strncmp(f->file, "<frozen importlib._bootstrap",
						     strlen("<frozen importlib._bootstrap"));
}

/* Each import is five such frames, which say nothing. */
static int shorten_stacks(struct builder *b)
{
	const struct profile *p = b->p;
	size_t frames = 0;

	for (uint32_t i = 0; i < p->nr_stacks; i++)
		frames += p->stacks[i].nr;
	b->stacks = calloc(p->nr_stacks + 1, sizeof(*b->stacks));
	b->frames = calloc(frames + 1, sizeof(*b->frames));
	if (!b->stacks || !b->frames)
		return -ENOMEM;
	frames = 0;
	for (uint32_t i = 0; i < p->nr_stacks; i++) {
		const struct profile_stack *from = &p->stacks[i];
		struct profile_stack *to = &b->stacks[i];

		*to = (struct profile_stack){.truncated = from->truncated,
					     .frames = b->frames + frames};
		for (uint32_t k = 0; k < from->nr; k++)
			if (!k || !is_import(&p->functions[from->frames[k].function]))
				to->frames[to->nr++] = from->frames[k];
		frames += to->nr;
	}
	return 0;
}

static void add_rows(struct builder *b)
{
	const struct profile *p = b->p;

	for (uint32_t i = 0; i < p->nr_rows; i++) {
		const struct profile_row *r = &p->rows[i];
		pid_t pid = p->threads[r->thread].pid;

		if (r->event != b->select->event || (b->select->pid && b->select->pid != pid))
			continue;
		b->entries[b->nr++] = (struct entry){.pid = pid,
						     .thread = r->thread,
						     .stack = b->stacks ? &b->stacks[r->stack]
									: &p->stacks[r->stack],
						     .change = r->change};
	}
}

static void add_causes(struct builder *b)
{
	const struct profile *p = b->p;

	for (uint32_t i = 0; i < p->nr_processes; i++) {
		const struct profile_process *of = &p->processes[i];

		if (b->select->pid && b->select->pid != of->pid)
			continue;
		for (int c = 0; c < PROFILE_CAUSES; c++) {
			const struct profile_change *change = &of->causes[b->select->event][c];

			if (change->growth || change->shrink || change->events)
				b->entries[b->nr++] = (struct entry){
					.pid = of->pid, .cause = c, .change = *change};
		}
	}
}

static int tree_add(struct profile_tree *t, uint32_t parent, uint64_t s, uint32_t *ret)
{
	struct profile_node *n;

	if (t->nr_nodes == PROFILE_TREE_MAX_NODES)
		return -E2BIG;
	if (t->nr_nodes == t->size) {
		uint32_t size = t->size ? 2 * t->size : 256;

		n = reallocarray(t->nodes, size, sizeof(*n));
		if (!n)
			return -ENOMEM;
		t->nodes = n;
		t->size = size;
	}
	n = &t->nodes[t->nr_nodes];
	*n = (struct profile_node){.kind = s >> 32,
				   .of = (uint32_t)s,
				   .parent = parent,
				   .child = PROFILE_NONE,
				   .next = PROFILE_NONE};
	if (parent != PROFILE_NONE)
		n->depth = t->nodes[parent].depth + 1;
	t->depth = max(t->depth, n->depth);
	*ret = t->nr_nodes++;
	return 0;
}

/* path: the nodes of the entry before, of which as many stay as this one shares. */
static int tree_add_entry(struct profile_tree *t, const struct builder *b, const struct entry *e,
			  uint32_t *path, uint32_t *path_nr)
{
	uint32_t i = 0, last = 0;
	bool shared = true;
	uint64_t s;

	profile_sum(&t->nodes[0].total, &e->change);
	for (; (s = entry_step(b, e, i)); i++) {
		const struct profile_node *n = shared && i < *path_nr ? &t->nodes[path[i]] : NULL;

		shared = n && step(n->kind, n->of) == s;
		if (!shared) {
			int err = tree_add(t, last, s, &path[i]);

			if (err == -E2BIG) {
				t->nr_cut++;
				break;
			}
			if (err)
				return err;
		}
		last = path[i];
		profile_sum(&t->nodes[last].total, &e->change);
	}
	profile_sum(&t->nodes[last].self, &e->change);
	*path_nr = i;
	return 0;
}

/* Siblings side by side, in their order. */
static int compare_siblings(const void *x, const void *y, void *arg)
{
	const struct profile_node *nodes = arg;
	const struct profile_node *a = &nodes[*(const uint32_t *)x],
				  *b = &nodes[*(const uint32_t *)y];
	int64_t s = profile_net(&a->total), t = profile_net(&b->total);

	if (a->parent != b->parent)
		return a->parent < b->parent ? -1 : 1;
	if (s != t)
		return s > t ? -1 : 1;
	if (a->total.growth != b->total.growth)
		return a->total.growth > b->total.growth ? -1 : 1;
	return a < b ? -1 : 1;
}

static int link_children(struct profile_tree *t)
{
	uint32_t nr = t->nr_nodes - 1; /* the root is no one's child */
	_cleanup_free_ uint32_t *order = NULL;

	if (!nr)
		return 0;
	order = malloc(nr * sizeof(*order));
	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < nr; i++)
		order[i] = i + 1;
	qsort_r(order, nr, sizeof(*order), compare_siblings, t->nodes);
	for (uint32_t i = nr; i-- > 0;) {
		struct profile_node *n = &t->nodes[order[i]], *parent = &t->nodes[n->parent];

		n->next = parent->child;
		parent->child = order[i];
	}
	return 0;
}

static int tree_build(struct profile_tree *t, struct builder *b)
{
	uint32_t path[PROFILE_TREE_MAX_DEPTH], path_nr = 0, root;
	int err;

	add_rows(b);
	add_causes(b);
	if (b->nr)
		qsort_r(b->entries, b->nr, sizeof(*b->entries), compare_paths, b);
	err = tree_add(t, PROFILE_NONE, step(PROFILE_NODE_ROOT, 0), &root);
	for (size_t i = 0; !err && i < b->nr; i++)
		err = tree_add_entry(t, b, &b->entries[i], path, &path_nr);
	return err ? err : link_children(t);
}

int profile_tree_new(const struct profile *p, const struct profile_select *s,
		     struct profile_tree **ret)
{
	struct builder b = {.p = p, .select = s, .several = !s->pid && profile_several(p)};
	size_t room = p->nr_rows + (size_t)p->nr_processes * PROFILE_CAUSES;
	struct profile_tree *t = calloc(1, sizeof(*t));
	int err = -ENOMEM;

	b.entries = calloc(room + 1, sizeof(*b.entries));
	if (t && b.entries)
		err = s->brief ? shorten_stacks(&b) : 0;
	if (!err)
		err = tree_build(t, &b);
	free(b.stacks);
	free(b.frames);
	free(b.entries);
	if (err) {
		profile_tree_free(t);
		return err;
	}
	*ret = t;
	return 0;
}

void profile_tree_free(struct profile_tree *t)
{
	if (!t)
		return;
	free(t->nodes);
	free(t);
}

uint32_t profile_tree_skip(const struct profile_tree *t, uint32_t node)
{
	while (node != PROFILE_NONE && t->nodes[node].next == PROFILE_NONE)
		node = t->nodes[node].parent;
	return node == PROFILE_NONE ? node : t->nodes[node].next;
}

uint32_t profile_tree_next(const struct profile_tree *t, uint32_t node)
{
	return t->nodes[node].child != PROFILE_NONE ? t->nodes[node].child
						    : profile_tree_skip(t, node);
}
