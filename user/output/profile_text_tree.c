/* SPDX-License-Identifier: MIT */
/* The tree of calls in the text of `report` (profile_text.h). */
#include "output/profile_text.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "output/profile_label.h"
#include "output/table.h"

#include <inttypes.h>
#include <string.h>

/* A node is shown from this part of all that was seen on, unless --min says otherwise. */
#define MIN_PART 200

struct printer {
	const struct profile *p;
	const struct profile_tree *t;
	struct table table;
	int64_t min;
	bool shrank; /* something did: columns for both directions */
	/* what stands before a line: lines of the branches that it is in */
	char prefix[PROFILE_TREE_MAX_DEPTH * sizeof("│  ")];
	/* not on the stack: the tree is walked by recursion */
	char label[2 * PROFILE_LABEL_SIZE], line[3 * PROFILE_LABEL_SIZE];
};

static bool visible(const struct printer *w, const struct profile_node *n)
{
	return max(n->total.growth, n->total.shrink) >= w->min;
}

static void print_line(struct printer *w, const struct profile_change *total,
		       const struct profile_change *self, const char *glyph, const char *label)
{
	char cell[32];

	table_cell(&w->table, text_net(cell, profile_net(total)));
	table_cell(&w->table,
		   self->growth || self->shrink ? text_net(cell, profile_net(self)) : "");
	if (w->shrank) {
		table_cell(&w->table, text_gross(cell, total->growth));
		table_cell(&w->table, text_gross(cell, total->shrink));
	}
	snprintf(w->line, sizeof(w->line), "%s%s%s", w->prefix, glyph, label);
	table_cell(&w->table, w->line);
}

static void print_node(struct printer *w, const struct profile_node *n, const char *glyph)
{
	const struct profile_function *f;
	size_t used;

	if (n->kind == PROFILE_NODE_FUNCTION) {
		f = &w->p->functions[n->of];
		profile_function_label(w->label, PROFILE_LABEL_SIZE, f);
		used = strlen(w->label);
		profile_place_label(w->label + used + 2, sizeof(w->label) - used - 2, f,
				    f->first_line);
		if (w->label[used + 2])
			memcpy(w->label + used, "  ", 2);
	} else {
		profile_node_label(w->label, sizeof(w->label), w->p, n);
	}
	print_line(w, &n->total, &n->self, glyph, w->label);
}

/* Children of a node that are shown, and the sum of those that are not. */
struct children {
	uint32_t shown, hidden;
	struct profile_change hidden_sum;
};

static struct children count_children(const struct printer *w, const struct profile_node *n)
{
	struct children c = {0};

	for (uint32_t i = n->child; i != PROFILE_NONE; i = w->t->nodes[i].next) {
		if (visible(w, &w->t->nodes[i])) {
			c.shown++;
			continue;
		}
		c.hidden++;
		profile_sum(&c.hidden_sum, &w->t->nodes[i].total);
	}
	return c;
}

static void print_hidden(struct printer *w, const struct children *c, const char *glyph)
{
	char text[40];

	snprintf(text, sizeof(text), "(%" PRIu32 " smaller)", c->hidden);
	print_line(w, &c->hidden_sum, &(struct profile_change){0}, glyph, text);
}

/* Recurses as deep as the tree is: PROFILE_TREE_MAX_DEPTH. */
static void print_children(struct printer *w, const struct profile_node *n)
{
	struct children c = count_children(w, n);
	bool top = n->kind == PROFILE_NODE_ROOT;
	/* all that comes to n goes on to its only child: no branch */
	bool chain = c.shown == 1 && !c.hidden && !n->self.growth && !n->self.shrink;
	size_t prefix = strlen(w->prefix);
	uint32_t nr = 0;

	for (uint32_t i = n->child; i != PROFILE_NONE; i = w->t->nodes[i].next) {
		const struct profile_node *child = &w->t->nodes[i];
		const char *glyph = "", *below = top ? "  " : "";

		if (!visible(w, child))
			continue;
		if (!top && !chain) {
			bool last = ++nr == c.shown && !c.hidden;

			glyph = last ? "└─ " : "├─ ";
			below = last ? "   " : "│  ";
		}
		print_node(w, child, glyph);
		snprintf(w->prefix + prefix, sizeof(w->prefix) - prefix, "%s", below);
		print_children(w, child);
		w->prefix[prefix] = 0;
	}
	if (c.hidden)
		print_hidden(w, &c, top ? "" : "└─ ");
}

static void print_title(FILE *out, const struct profile_select *s)
{
	fprintf(out, "\n%s by call stack, %s first%s\n", profile_event_title(s->event),
		s->inverted ? "callees" : "callers", s->by_thread ? ", by thread" : "");
}

int profile_print_tree(FILE *out, const struct profile *p, const struct profile_select *s,
		       uint64_t min_bytes)
{
	struct profile_tree *t = NULL;
	struct printer w = {.p = p};
	int err = profile_tree_new(p, s, &t);

	if (err)
		return err;
	w.t = t;
	w.min = (int64_t)min(min_bytes, (uint64_t)INT64_MAX);
	if (!w.min)
		w.min = max(t->nodes[0].total.growth, t->nodes[0].total.shrink) / MIN_PART;
	w.shrank = t->nodes[0].total.shrink;
	table_column(&w.table, "total", true);
	table_column(&w.table, "self", true);
	if (w.shrank) {
		table_column(&w.table, "grew", true);
		table_column(&w.table, "shrank", true);
	}
	table_column(&w.table, "function", false);
	print_children(&w, &t->nodes[0]);
	if (w.table.nr_cells) {
		print_title(out, s);
		err = table_print(out, &w.table, 0, true);
	}
	if (t->nr_cut)
		fprintf(out, "# %" PRIu64 " stacks are shown up to where the tree was full\n",
			t->nr_cut);
	table_done(&w.table);
	profile_tree_free(t);
	return err;
}
