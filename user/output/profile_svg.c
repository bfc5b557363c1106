/* SPDX-License-Identifier: MIT */
/*
 * The page around the two graphs:
 *
 *	Who made RSS grow: pid 4242 (python3 app.py)
 *	CPython 3.12.1 · 2026-11-23 12:00:00 UTC, 60 s · sampled every ~32 pages, ± one standard error
 *	RSS 198.2 MiB → 212.4 MiB: +14.2 MiB           growth    ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇ 20.1 MiB
 *	                                               shrinkage ▇▇▇▇▇ 5.9 MiB
 *	[search] [Reset]                                                (the script's)
 *	Growth 20.1 MiB
 *	┌─────────────────────────────────────────────────────┐
 *	└─────────────────────────────────────────────────────┘
 *	Shrinkage 5.9 MiB
 *	...
 *
 * Both graphs have the full width; the two bars of the head have one scale.
 */
#include "output/profile_out.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"
#include "output/profile_label.h"
#include "output/profile_svg_frames.h"
#include "output/svg.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define BAR_X	  110
#define BAR_WIDTH 480 /* of the larger one */
#define TOOLS_Y	  106
#define FIRST_Y	  168 /* of the growth's first frame */
#define HEADING	  34  /* between graphs */
#define LINE	  16

/* Made from profile_svg.css and .js: their lines as C strings. */
static const char style[] =
#include "output/profile_svg.css.inc"
	;
static const char script[] =
#include "output/profile_svg.js.inc"
	;

struct page {
	const struct profile *profile;
	struct profile_select select;
	struct profile_account account;
	struct svg_graph graphs[2]; /* growth, shrinkage */
	FILE *out;
	unsigned int y; /* where the next line goes */
};

static const char *const nouns[] = {"growth", "shrinkage"};
static const char *const classes[] = {"growth", "shrink"};
static const char *const headings[] = {"▲ Growth", "▼ Shrinkage"};

static void text_open(struct page *g, const char *class, unsigned int x, unsigned int y)
{
	fprintf(g->out, "<text class=\"%s\" x=\"%u\" y=\"%u\">", class, x, y);
}

static void print_title(struct page *g, char *name, size_t size)
{
	const char *title = profile_event_title(g->select.event);
	const struct profile *p = g->profile;
	char label[PROFILE_LABEL_SIZE];

	if (g->select.pid || p->nr_processes == 1)
		profile_process_label(label, sizeof(label), p,
				      g->select.pid ? g->select.pid : p->processes[0].pid);
	else
		snprintf(label, sizeof(label), "%" PRIu32 " processes", p->nr_processes);
	if (profile_event_is_kernels(g->select.event))
		snprintf(name, size, "Who made the kernel count %s: ", title);
	else
		snprintf(name, size, "Who made %s%s grow: ",
			 g->select.event == PROFILE_RSS ? "" : "pymalloc's ", title);
	fputs("<title>", g->out);
	svg_text(g->out, name);
	svg_text(g->out, label);
	fputs("</title>\n", g->out);
	strncat(name, label, size - strlen(name) - 1);
}

/* "2026-11-23 12:00:00 UTC, for 60 s" */
static void print_time(struct page *g)
{
	const struct profile *p = g->profile;
	time_t seconds = (time_t)(p->begin_ns / 1000000000);
	char text[64] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
	fprintf(g->out, "%s, for %.1f s", text, (double)(p->end_ns - p->begin_ns) / 1e9);
}

static void print_how(struct page *g)
{
	const struct profile *p = g->profile;
	const struct profile_process *of =
		p->nr_processes == 1 ? &p->processes[0] : profile_find_process(p, g->select.pid);
	char text[PROFILE_LABEL_SIZE], size[24];

	text_open(g, "dim", SVG_MARGIN, 46);
	if (of && *of->python) {
		svg_text(g->out, text_escape(text, sizeof(text), of->python, strlen(of->python)));
		fputs(" · ", g->out);
	}
	print_time(g);
	if (g->select.event != PROFILE_RSS)
		fputs(" · every one", g->out);
	else if (p->exact)
		fputs(" · exact: every change", g->out);
	else
		fprintf(g->out, " · sampled every ~%" PRIu32 " pages (%s), ± is one standard error",
			p->step_pages,
			text_size(size, (int64_t)p->step_pages * p->page_bytes, false));
	fputs("</text>\n", g->out);
}

/* "growth  ▇▇▇▇▇▇▇ 20.1 MiB ± 0.4 MiB", both to one scale */
static void print_sum(struct page *g, unsigned int i)
{
	int64_t most = max(g->graphs[0].total, g->graphs[1].total);
	double width = most ? (double)g->graphs[i].total / (double)most * BAR_WIDTH : 0;
	unsigned int y = 80 + i * LINE;
	char size[32];

	text_open(g, "dim", SVG_MARGIN, y);
	fprintf(g->out,
		"%s</text><rect class=\"sum %s\" x=\"%d\" y=\"%u\" width=\"%.1f\" height=\"10\" rx=\"2\"/>",
		nouns[i], classes[i], BAR_X, y - 9, width);
	fprintf(g->out, "<text x=\"%.1f\" y=\"%u\">%s</text>\n", BAR_X + width + 8, y,
		text_net(size, (i ? -1 : 1) * g->graphs[i].total));
}

/* "RSS 181.0 MiB → 312.0 MiB: +131.0 MiB, of which +4.1 MiB were put down to no stack" */
static void print_balance(struct page *g)
{
	const struct profile_account *a = &g->account;
	char x[32], y[32], z[32];
	int64_t net = profile_net(&a->attributed) + profile_net(&a->unattributed);

	text_open(g, "", SVG_MARGIN, 64);
	if (g->select.event == PROFILE_RSS)
		fprintf(g->out, "RSS %s → %s: ", text_size(x, a->rss_before, false),
			text_size(y, a->rss_after, false));
	fprintf(g->out, "net %s, of which %s are of no known stack (grey)</text>\n",
		text_net(x, net), text_net(z, profile_net(&a->unattributed)));
	print_sum(g, 0);
	print_sum(g, 1);
}

static int print_graph(struct page *g, unsigned int i)
{
	struct svg_graph *graph = &g->graphs[i];
	char size[32];
	int err;

	fprintf(g->out, "<g class=\"panel %s\" data-name=\"%s\">\n", classes[i], nouns[i]);
	text_open(g, "heading", SVG_MARGIN, g->y - 9);
	fprintf(g->out, "%s %s</text>\n", headings[i],
		graph->total ? text_net(size, (i ? -1 : 1) * graph->total) : "none was seen");
	err = svg_graph_print(graph, g->out, g->y);
	fputs("</g>\n", g->out);
	g->y += graph->depth * SVG_ROW + HEADING;
	return err;
}

static void note(struct page *g, const char *text)
{
	text_open(g, "dim", SVG_MARGIN, g->y);
	svg_text(g->out, text);
	fputs("</text>\n", g->out);
	g->y += LINE;
}

static void note_narrow(struct page *g, unsigned int i)
{
	const struct svg_graph *graph = &g->graphs[i];
	char text[256], a[24], b[24];

	if (!graph->nr_narrow)
		return;
	snprintf(text, sizeof(text),
		 "Of %s, frames below %s are drawn together or left out: %" PRIu64 ", %s in all.",
		 nouns[i], text_size(a, graph->narrowest, false), graph->nr_narrow,
		 text_size(b, graph->narrow, false));
	note(g, text);
}

static void note_lost(struct page *g, uint64_t nr, const char *what)
{
	char text[256];

	if (!nr)
		return;
	snprintf(text, sizeof(text), "Incomplete: %s: %" PRIu64 ".", what, nr);
	note(g, text);
}

static void print_notes(struct page *g)
{
	const struct profile *p = g->profile;
	char text[1024], safe[1024];

	snprintf(text, sizeof(text),
		 "%s; the width is bytes. Click zooms, Esc resets. Colours tell files apart.",
		 g->select.inverted ? "Inverted: what ran is above, its callers are below"
				    : "Callers are above, callees below");
	note(g, text);
	note_narrow(g, 0);
	note_narrow(g, 1);
	if (p->batched)
		note(g,
		     "This kernel counts in steps of 64 pages for each thread and kind of memory.");
	if (p->cut_short)
		note(g, "Incomplete: the recording was cut short.");
	note_lost(g, p->names_lost, "functions gone before their names could be read");
	note_lost(g, p->lines_lost, "functions gone before their lines could be read");
	note_lost(g, g->graphs[0].tree->nr_cut, "stacks that found no room in full");
	snprintf(text, sizeof(text), "%s%s%s", p->program, *p->host ? ", " : "", p->host);
	note(g, text_escape(safe, sizeof(safe), text, strlen(text)));
}

static unsigned int height_of(const struct page *g)
{
	/* all notes that there can be */
	return FIRST_Y + (g->graphs[0].depth + g->graphs[1].depth) * SVG_ROW + 2 * HEADING +
	       9 * LINE;
}

static int print_page(struct page *g)
{
	char name[2 * PROFILE_LABEL_SIZE];
	unsigned int height = height_of(g);
	int err;

	fprintf(g->out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" viewBox=\"0 0 %d %u\">\n",
		SVG_WIDTH, height, SVG_WIDTH, height);
	print_title(g, name, sizeof(name));
	fprintf(g->out, "<style><![CDATA[\n%s]]></style>\n", style);
	fputs("<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n", g->out);
	text_open(g, "title", SVG_MARGIN, 26);
	svg_text_cut(g->out, name, 130);
	fputs("</text>\n", g->out);
	print_how(g);
	print_balance(g);
	g->y = FIRST_Y;
	err = print_graph(g, 0);
	if (!err)
		err = print_graph(g, 1);
	print_notes(g);
	fprintf(g->out, "<g id=\"bar\" data-y=\"%d\"/>\n", TOOLS_Y);
	fprintf(g->out, "<script><![CDATA[\n%s]]></script>\n</svg>\n", script);
	return err;
}

int profile_write_svg(FILE *out, const struct profile *p, const struct profile_view *view,
		      struct fault *f)
{
	struct page g = {.profile = p,
			 .select = {.event = profile_view_event(p, view),
				    .pid = view->pid,
				    .inverted = view->inverted,
				    .by_thread = view->by_thread},
			 .out = out};
	struct profile_tree *tree = NULL;
	int err = profile_tree_new(p, &g.select, &tree);

	profile_account(p, &g.select, &g.account);
	for (unsigned int i = 0; i < 2 && !err; i++) {
		g.graphs[i] = (struct svg_graph){
			.profile = p,
			.tree = tree,
			.shrink = i,
			.sampled = !p->exact && g.select.event == PROFILE_RSS,
		};
		err = svg_graph_measure(&g.graphs[i]);
	}
	if (!err)
		err = print_page(&g);
	profile_tree_free(tree);
	return err ? fault_errno(f, -err, "cannot write the flame graph") : 0;
}
