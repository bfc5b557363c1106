/* SPDX-License-Identifier: MIT */
/*
 *	shared   6.1 MiB of it is shared with other processes; the fair share of all (Pss) is 3.8 GiB
 *	copies   5.4 MiB of 71.4 MiB anonymous memory is this process's alone; ...
 *	besides  swap 12.0 MiB, page tables 8.1 MiB: paid for, and not in RSS
 *	huge     59.0 MiB is in huge pages: resident as a whole, however little of them is used
 *	heap     not looked into: jemalloc is in use
 *
 * A line is there only if it says something; -v adds the allocators' own figures.
 */
#include "output/explain_notes.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "model/explanation.h"
#include "model/verdict.h"
#include "output/cgroup_text.h"
#include "output/explain_text.h"
#include "output/wrap.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

struct notes {
	FILE *out;
	size_t width;
	bool begun;
};

__attribute__((format(printf, 3, 4))) static void note(struct notes *n, const char *label,
						       const char *fmt, ...)
{
	char text[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!n->begun)
		fputc('\n', n->out);
	n->begun = true;
	wrap_print(n->out, label, text, n->width);
}

/* Bytes in the unit that fits; what cannot be is cut. */
static char *size_of(char buf[static 24], uint64_t bytes)
{
	return text_size(buf, (int64_t)min(bytes, (uint64_t)INT64_MAX), false);
}

static char *count_of(char buf[static 32], uint64_t n)
{
	return text_thousands(buf, (int64_t)min(n, (uint64_t)INT64_MAX), false);
}

/* A reason is a sentence with names of the target in it. */
static char *reason(char *buf, size_t size, const char *why, size_t len)
{
	return text_escape(buf, size, why, strnlen(why, len));
}

static void note_approximate(struct notes *n, const struct explanation *e)
{
	char why[4 * sizeof(e->approximate_why)];

	if (!e->approximate)
		return;
	reason(why, sizeof(why), e->approximate_why, sizeof(e->approximate_why));
	note(n, "caution", "these figures are approximate: %s%s",
	     *why ? why : "it changed while it was read",
	     explanation_pause_helps(e) ? "; --pause stops the process while it is read" : "");
}

static void note_shared(struct notes *n, const struct explanation_kernel *k)
{
	char shared[24], pss[24];

	if (k->shared)
		note(n, "shared",
		     "%s of it is shared with other processes; the fair share of all (Pss) is %s",
		     size_of(shared, k->shared), size_of(pss, k->pss));
}

/* Pages of files and shared memory are meant to be shared. */
static bool is_anonymous(enum memory_kind k)
{
	return k != MEMORY_FILE_TEXT && k != MEMORY_FILE_OTHER && k != MEMORY_SHARED &&
	       k != MEMORY_VDSO;
}

static void note_copies(struct notes *n, const struct explanation *e)
{
	uint64_t all = 0, own = 0;
	char own_size[24], all_size[24];

	for (size_t i = 0; i < e->nr_rows; i++)
		if (is_anonymous(e->rows[i].kind)) {
			all += e->rows[i].bytes;
			own += e->rows[i].exclusive;
		}
	if (own < all && all - own > e->total / 100)
		note(n, "copies",
		     "%s of %s anonymous memory is this process's alone; the rest is one with its "
		     "parent's or children's until either writes to it",
		     size_of(own_size, own), size_of(all_size, all));
}

static void note_besides(struct notes *n, const struct explanation_kernel *k)
{
	const struct {
		const char *what;
		uint64_t bytes;
	} besides[] = {
		{"swap", k->swap},
		{"pages of hugetlbfs", k->hugetlb},
		{"page tables", k->page_tables},
	};
	char text[160] = "", size[24];

	for (size_t i = 0; i < ARRAY_SIZE(besides); i++)
		if (besides[i].bytes)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s %s",
				 *text ? ", " : "", besides[i].what,
				 size_of(size, besides[i].bytes));
	if (*text)
		note(n, "besides", "%s: paid for, and not in RSS", text);
}

static void note_huge(struct notes *n, const struct explanation *e)
{
	uint64_t huge = 0;
	char size[24];

	for (size_t i = 0; i < e->nr_rows; i++)
		huge += e->rows[i].huge;
	if (huge)
		note(n, "huge",
		     "%s is in huge pages: resident as a whole, however little of them is used",
		     size_of(size, huge));
}

static void note_pools(struct notes *n, const struct explanation *e, bool verbose)
{
	const struct pool_stats *p = &e->pools;
	char why[4 * sizeof(e->pools_why)], arenas[32], used[32], sparse[32], free_pools[32];

	if (!e->has_pools && e->pools_why[0])
		note(n, "pymalloc", "not looked into: %s",
		     reason(why, sizeof(why), e->pools_why, sizeof(e->pools_why)));
	if (!e->has_pools || !verbose)
		return;
	note(n, "pymalloc", "%s arenas; %s pools in use, %s of them less than %d %% full; %s free",
	     count_of(arenas, p->arenas), count_of(used, p->pools_used),
	     count_of(sparse, p->sparse_pools), POOL_SPARSE_PERCENT,
	     count_of(free_pools, p->pools_free));
	if (p->interpreters > 1)
		note(n, "", "of %" PRIu32 " interpreters with arenas of their own",
		     p->interpreters);
}

static void note_heap(struct notes *n, const struct explanation *e, bool verbose)
{
	const struct heap_stats *h = &e->heap;
	char why[4 * sizeof(e->heap_why)], trim[24], mmap_from[24], trim_from[24];

	if (!e->has_heap && e->heap_why[0])
		note(n, "heap", "not looked into: %s",
		     reason(why, sizeof(why), e->heap_why, sizeof(e->heap_why)));
	if (!e->has_heap)
		return;
	if (!h->exact && h->settled)
		note(n, "heap", "not classified: %s",
		     reason(why, sizeof(why), h->why_not, sizeof(h->why_not)));
	else if (!h->exact)
		note(n, "heap", "%s, %s: %s",
		     explanation_bytes(e, MEMORY_HEAP_UNKNOWN, MEMORY_HEAP_UNKNOWN)
			     ? "not classified, or not all of it"
			     : "one of its own checks failed",
		     e->paused ? "as it was read" : "as it changed meanwhile or is damaged",
		     reason(why, sizeof(why), h->why_not, sizeof(h->why_not)));
	if (verbose)
		note(n, h->exact ? "heap" : "",
		     "glibc %.*s, %" PRIu32
		     " arena%s; malloc_trim(0) would return %s; mapped one by "
		     "one from %s on, trimmed from %s on%s",
		     (int)strnlen(h->version, sizeof(h->version)), h->version, h->arenas,
		     h->arenas == 1 ? "" : "s", size_of(trim, h->trim_bytes),
		     size_of(mmap_from, h->mmap_threshold), size_of(trim_from, h->trim_threshold),
		     h->thresholds_grew ? " (grown)" : "");
}

static void note_unbacked(struct notes *n, const struct explanation_kernel *k)
{
	char guard[24], zero[24];

	if (k->guard || k->zero)
		note(n, "unbacked", "guard pages %s, read and never written %s: in no sum",
		     size_of(guard, k->guard), size_of(zero, k->zero));
}

static bool says(const struct verdict *v, enum finding what)
{
	for (size_t i = 0; v && i < v->nr_sentences; i++)
		if (v->sentences[i].finding == what)
			return true;
	return false;
}

void explain_print_notes(FILE *out, const struct explanation *e, const struct verdict *v,
			 const struct explain_text *how)
{
	struct notes n = {.out = out, .width = how->width};

	note_approximate(&n, e);
	note_shared(&n, &e->kernel);
	if (!says(v, FINDING_COPIED))
		note_copies(&n, e);
	note_besides(&n, &e->kernel);
	note_huge(&n, e);
	if (how->verbose)
		note_unbacked(&n, &e->kernel);
	note_pools(&n, e, how->verbose);
	note_heap(&n, e, how->verbose);
	if (e->cgroup.version && !n.begun)
		fputc('\n', out);
	cgroup_print(out, &e->cgroup, e->kernel.pss, how->cgroup_rate);
}

void explain_print_verdict(FILE *out, const struct verdict *v, const struct explain_text *how)
{
	if (v->nr_sentences || v->nr_remedies)
		fputc('\n', out);
	for (size_t i = 0; i < v->nr_sentences; i++)
		wrap_print(out, i ? "" : "verdict", v->sentences[i].text, how->width);
	for (size_t i = 0; i < v->nr_remedies; i++)
		wrap_print(out, i ? "" : "remedy", v->remedies[i].text, how->width);
}
