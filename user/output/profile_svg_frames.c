/* SPDX-License-Identifier: MIT */
/*
 * The frames of a graph. Each is drawn where it belongs without the script, and says to the script
 * which bytes of the total it stands for:
 *
 *	<g class="f c2" data-i="7" data-a="4096" data-n="8192" data-d="3" data-l="app.py:12"><title>load
 *	/srv/app.py:12
 *	growth +8.0 KiB (66.7 %), itself +4.0 KiB
 *	...</title><rect x="10" y="150" width="800" height="16"/><text x="14" y="162">load</text></g>
 */
#include "output/profile_svg_frames.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "output/profile_label.h"
#include "output/svg.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FRAMES 16000 /* of one graph: what browsers lay out within a second */
#define PER_PIXEL  10	 /* a tenth of a pixel is drawn, less is narrow */
#define CELL	   6.62	 /* width of a character, px: DejaVu Sans Mono of 11 px */
#define PADDING	   4
#define NR_COLOURS 6

struct child {
	uint32_t node;
	int64_t bytes;
	bool last;
};

/* Where a frame is drawn. */
struct place {
	int64_t start, bytes;
	uint32_t depth;
	unsigned int y; /* of the graph */
};

static int64_t bytes_of(const struct svg_graph *g, const struct profile_change *c)
{
	return g->shrink ? c->shrink : c->growth;
}

static int by_bytes(const void *a, const void *b)
{
	const struct child *p = a, *q = b;

	if (p->last != q->last)
		return p->last ? 1 : -1;
	if (p->bytes != q->bytes)
		return p->bytes < q->bytes ? 1 : -1;
	return p->node < q->node ? -1 : p->node > q->node;
}

/* The children that have a part in this graph, the widest first; causes come last. */
static struct child *children_of(struct svg_graph *g, uint32_t node, size_t *ret_nr)
{
	struct child *all;
	size_t nr = 0;

	*ret_nr = 0;
	for (uint32_t c = g->tree->nodes[node].child; c != PROFILE_NONE; c = g->tree->nodes[c].next)
		nr += bytes_of(g, &g->tree->nodes[c].total) > 0;
	if (!nr)
		return NULL;
	all = malloc(nr * sizeof(*all));
	if (!all) {
		g->err = -ENOMEM;
		return NULL;
	}
	for (uint32_t c = g->tree->nodes[node].child; c != PROFILE_NONE; c = g->tree->nodes[c].next)
		if (bytes_of(g, &g->tree->nodes[c].total) > 0)
			all[(*ret_nr)++] =
				(struct child){c, bytes_of(g, &g->tree->nodes[c].total),
					       g->tree->nodes[c].kind == PROFILE_NODE_CAUSE};
	qsort(all, nr, sizeof(*all), by_bytes);
	return all;
}

static double scale(const struct svg_graph *g)
{
	return (double)(SVG_WIDTH - 2 * SVG_MARGIN) / (double)g->total;
}

/* A file keeps its colour in all pages, so that a package is seen as one. */
static unsigned int colour_of(const char *file)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (; *file; file++)
		h = (h ^ (unsigned char)*file) * 16777619;
	return (h ^ h >> 15) % NR_COLOURS;
}

static void print_box(const struct svg_graph *g, FILE *out, const struct place *at,
		      const char *name)
{
	double x = SVG_MARGIN + (double)at->start * scale(g);
	double w = (double)at->bytes * scale(g);
	unsigned int y = at->y + at->depth * SVG_ROW;
	int columns = (int)((w - 2 * PADDING) / CELL);

	fprintf(out, "</title><rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%d\" rx=\"1\"/>", x,
		y, w, SVG_ROW - 1);
	fprintf(out, "<text x=\"%.2f\" y=\"%u\">", x + PADDING, y + SVG_ROW - 5);
	if (columns >= 3)
		svg_text_cut(out, name, (unsigned int)columns);
	fputs("</text></g>\n", out);
}

static void print_open(FILE *out, const char *class, uint32_t id, const struct place *at)
{
	fprintf(out,
		"<g class=\"f %s\" data-i=\"%" PRIu32 "\" data-a=\"%" PRId64 "\" data-n=\"%" PRId64
		"\" data-d=\"%" PRIu32 "\"",
		class, id, at->start, at->bytes, at->depth);
}

/* "growth +96.0 MiB (53.1 %), itself +3.0 MiB" */
static void print_figures(FILE *out, const char *what, int64_t bytes, int64_t self, int64_t of,
			  int sign)
{
	char a[32], b[32];

	fprintf(out, "\n%s %s", what, text_net(a, sign * bytes));
	if (of)
		fprintf(out, " (%.1f %%)", 100.0 * (double)bytes / (double)of);
	if (self)
		fprintf(out, ", itself %s", text_net(b, sign * self));
}

static void print_tip(const struct svg_graph *g, FILE *out, uint32_t node)
{
	const struct profile_node *n = &g->tree->nodes[node];
	const struct profile_change *all = &g->tree->nodes[0].total;
	char a[32];

	print_figures(out, "growth", n->total.growth, n->self.growth, all->growth, 1);
	print_figures(out, "shrinkage", n->total.shrink, n->self.shrink, all->shrink, -1);
	fprintf(out, "\nnet %s", text_net(a, profile_net(&n->total)));
	if (g->sampled)
		fprintf(out, ", of %" PRIu64 " samples: ± %s", n->total.events,
			text_size(a, profile_error(g->profile, n->total.events), false));
}

/* What the label shows behind the name: "app.py:12" */
static void print_place(FILE *out, const char *place)
{
	const char *slash = strrchr(place, '/');

	if (!*place)
		return;
	fputs(" data-l=\"", out);
	svg_text(out, slash ? slash + 1 : place);
	fputc('"', out);
}

static void print_class(const struct svg_graph *g, const struct profile_node *n,
			char class[static 8])
{
	if (n->kind == PROFILE_NODE_FUNCTION)
		snprintf(class, 8, "c%u", colour_of(g->profile->functions[n->of].file));
	else
		strcpy(class, n->kind == PROFILE_NODE_CAUSE ? "none" : "all");
}

static void print_frame(const struct svg_graph *g, FILE *out, uint32_t node, const struct place *at)
{
	const struct profile_node *n = &g->tree->nodes[node];
	char class[8], name[PROFILE_LABEL_SIZE], place[PROFILE_LABEL_SIZE] = "";

	if (n->kind == PROFILE_NODE_FUNCTION) {
		const struct profile_function *f = &g->profile->functions[n->of];

		profile_function_label(name, sizeof(name), f);
		profile_place_label(place, sizeof(place), f, f->first_line);
	} else if (n->kind == PROFILE_NODE_ROOT) {
		strcpy(name, g->shrink ? "all shrinkage" : "all growth");
	} else {
		profile_node_label(name, sizeof(name), g->profile, n);
	}
	print_class(g, n, class);
	print_open(out, class, node, at);
	print_place(out, place);
	fputs("><title>", out);
	svg_text(out, name);
	fputc('\n', out);
	svg_text(out, place);
	print_tip(g, out, node);
	print_box(g, out, at, name);
}

/* "12 narrow frames" beside the last child that is wide enough. */
static void print_rest(const struct svg_graph *g, FILE *out, uint64_t nr, const struct place *at)
{
	char name[64], size[24];

	snprintf(name, sizeof(name), "%" PRIu64 " narrow frame%s", nr, nr == 1 ? "" : "s");
	print_open(out, "rest", UINT32_MAX, at);
	fprintf(out, "><title>%s\n\neach below %s", name, text_size(size, g->narrowest, false));
	print_figures(out, g->shrink ? "shrinkage" : "growth", at->bytes, 0, g->total,
		      g->shrink ? -1 : 1);
	print_box(g, out, at, name);
}

/* out NULL: counts what would be drawn. */
static void walk(struct svg_graph *g, FILE *out, uint32_t node, struct place at)
{
	_cleanup_free_ struct child *children = NULL;
	size_t nr;
	uint64_t nr_narrow = 0;
	int64_t narrow = 0;

	g->frames++;
	g->depth = max(g->depth, at.depth + 1);
	if (out)
		print_frame(g, out, node, &at);
	children = children_of(g, node, &nr);
	at.depth++;
	for (size_t i = 0; i < nr && !g->err; i++) {
		at.bytes = children[i].bytes;
		if (at.bytes >= g->narrowest) {
			walk(g, out, children[i].node, at);
			at.start += at.bytes;
		} else {
			nr_narrow++;
			narrow += at.bytes;
		}
	}
	g->nr_narrow += nr_narrow;
	g->narrow += narrow;
	if (narrow < g->narrowest)
		return;
	g->frames++;
	g->depth = max(g->depth, at.depth + 1);
	at.bytes = narrow;
	if (out)
		print_rest(g, out, nr_narrow, &at);
}

static void count(struct svg_graph *g, FILE *out, unsigned int y)
{
	g->frames = g->depth = 0;
	g->nr_narrow = 0;
	g->narrow = 0;
	if (g->total)
		walk(g, out, 0, (struct place){.bytes = g->total, .y = y});
}

int svg_graph_measure(struct svg_graph *g)
{
	g->total = bytes_of(g, &g->tree->nodes[0].total);
	g->narrowest = max(g->total / ((SVG_WIDTH - 2 * SVG_MARGIN) * PER_PIXEL), (int64_t)1);
	count(g, NULL, 0);
	while (!g->err && g->frames > MAX_FRAMES) {
		g->narrowest += g->narrowest / 4 + 1;
		count(g, NULL, 0);
	}
	return g->err;
}

int svg_graph_print(struct svg_graph *g, FILE *out, unsigned int y)
{
	count(g, out, y);
	return g->err;
}
