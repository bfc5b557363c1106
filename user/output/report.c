/* SPDX-License-Identifier: MIT */
/* Prints the reports of `stat`; what they look like is in report.h. */
#include "output/report.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"
#include "output/head.h"
#include "output/profile_text.h"
#include "output/stats_text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#define MINUS "\u2212"
#define ARROW "\u2192"

/* One unit for all figures of a list: that of the largest. */
struct unit {
	const char *name;
	double bytes;
};

static struct unit unit_of(const int64_t *bytes, size_t nr)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	struct unit u = {.bytes = 1};
	double largest = 0;
	size_t i = 0;

	for (size_t k = 0; k < nr; k++)
		largest = max(largest, fabs((double)bytes[k]));
	/* 1023.95 would print as 1024.0 */
	for (; largest / u.bytes >= 1023.95 && i < ARRAY_SIZE(names) - 1; i++)
		u.bytes *= 1024;
	u.name = names[i];
	return u;
}

/* "14.2", with sign "+14.2" or "−14.2"; whole numbers where the unit is a byte */
static void print_amount(FILE *out, int64_t bytes, const struct unit *u, bool sign)
{
	double v = (double)bytes / u->bytes;

	if (sign)
		fputs(bytes < 0 ? MINUS : "+", out);
	fprintf(out, "%.*f", u->bytes > 1 ? 1 : 0, sign ? fabs(v) : v);
}

/* "198.2 MiB (anon 181.0, file 17.2)"; as a change "+14.2 MiB → 212.4 MiB (anon +14.1, file +0.1)"
 */
static void print_rss(FILE *out, const struct rss *r, const struct rss *after)
{
	const struct {
		const char *name;
		int64_t bytes;
	} kinds[] = {{"anon", r->anon}, {"file", r->file}, {"shmem", r->shmem}, {"swap", r->swap}};
	const int64_t all[] = {rss_resident(r), r->anon, r->file, r->shmem, r->swap};
	struct unit u = unit_of(all, ARRAY_SIZE(all));
	bool sign = after, begun = false;
	char size[24];

	fputs("RSS ", out);
	print_amount(out, rss_resident(r), &u, sign);
	fprintf(out, " %s", u.name);
	if (after)
		fprintf(out, " " ARROW " %s", text_size(size, rss_resident(after), false));
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!kinds[i].bytes)
			continue;
		fprintf(out, "%s%s ", begun ? ", " : " (", kinds[i].name);
		print_amount(out, kinds[i].bytes, &u, sign);
		begun = true;
	}
	if (begun)
		fputc(')', out);
}

/* "12:00:05  " and, where there are several processes, "pid 4242  " */
static void print_start(const struct report_printer *p, int64_t time_ns, pid_t pid)
{
	char clock[32];

	fprintf(p->out, "%s  ", text_clock(clock, time_ns, false));
	if (p->several)
		fprintf(p->out, "pid %d  ", pid);
}

void report_print_header(struct report_printer *p, const struct report_header *h)
{
	const struct python_id *py = h->python;

	head_print_process(p->out, h->process);
	head_print_python(p->out, py, h->arena_bytes);
	fprintf(p->out, "; since attach, every %g s%s\n", (double)h->interval_ns / 1e9,
		h->endless ? ", Ctrl-C for the total" : "");
	head_print_layout(p->out, py);
	if (py->nr_interpreters > 1)
		fprintf(p->out, "# %u interpreters: pymalloc's figures are those of the main one\n",
			py->nr_interpreters);
}

static void print_pymalloc(FILE *out, const struct report_state *s)
{
	const struct malloc_stats *st = s->stats;
	char used[24], avail[24], outside[24];

	if (!st) {
		fputs("   pymalloc not read", out);
		return;
	}
	if (!st->pymalloc) {
		fprintf(out, "   pymalloc not in use (%s)", allocator_name(s->python->allocator));
		return;
	}
	text_size(used, (int64_t)st->allocated_bytes, false);
	text_size(avail, (int64_t)(st->available_bytes + st->unused_pools * st->pool_bytes), false);
	text_size(outside, report_outside_pymalloc(&s->rss, st), false);
	fprintf(out,
		"   pymalloc %" PRIu64
		" arena%s: %s in use, %s free in them   outside pymalloc %s or more",
		st->arenas_current, st->arenas_current == 1 ? "" : "s", used, avail, outside);
}

void report_print_state(struct report_printer *p, const struct report_state *s)
{
	print_start(p, s->time_ns, s->process->pid);
	print_rss(p->out, &s->rss, NULL);
	print_pymalloc(p->out, s);
	fputc('\n', p->out);
	report_print_health(p->out, s->process->pid, p->several, &s->health);
	p->gap = true;
}

/* "   NAME +12 −0"; zeros are left out unless always */
static void print_pair(FILE *out, const char *name, uint64_t taken, uint64_t released, bool always)
{
	if (always || taken || released)
		fprintf(out, "   %s +%" PRIu64 " " MINUS "%" PRIu64, name, taken, released);
}

static void print_arenas(FILE *out, const struct report_change *c)
{
	if (c->arenas == SOURCE_NONE)
		return;
	print_pair(out, "arenas", c->arenas_taken, c->arenas_released, true);
	fprintf(out, " " ARROW " %" PRIu64 "%s", c->arenas_current,
		c->arenas == SOURCE_STATE ? " (from state)" : "");
	if (c->arenas != SOURCE_EVENTS)
		return;
	if (c->arenas_failed)
		fprintf(out, "   arena calls failed %" PRIu64, c->arenas_failed);
	print_pair(out, "stack chunks", c->chunks_taken, c->chunks_released, false);
	print_pair(out, "arenas of other interpreters", c->other_taken, c->other_released, false);
}

static void print_pools(FILE *out, const struct report_change *c)
{
	switch (c->pools) {
	case SOURCE_NONE:
		return;
	case SOURCE_EVENTS:
		fprintf(out, "   pools taken %" PRIu64, c->pools_taken);
		if (c->pools_other)
			fprintf(out, "   of other interpreters %" PRIu64, c->pools_other);
		return;
	case SOURCE_STATE:
		fprintf(out, "   pools %s%" PRIu64 " (from state)", c->pools_net < 0 ? MINUS : "+",
			c->pools_net < 0 ? -(uint64_t)c->pools_net : (uint64_t)c->pools_net);
		return;
	}
}

/* The difference table, or NULL where nothing changed. The caller frees it. */
static int difference(const struct report_change *c, char **ret, struct fault *f)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out;
	int err;

	if (!c->stats_before || !c->stats_after)
		return 0;
	out = open_memstream(&text, &len);
	if (!out)
		return fault_errno(f, errno, "no memory for the difference table");
	err = stats_print_diff(out, c->stats_before, c->stats_after, f);
	if (fclose(out) && !err)
		err = fault_errno(f, ENOMEM, "no memory for the difference table");
	if (err || !len) {
		free(text);
		return err;
	}
	*ret = text;
	return 0;
}

/* The functions, if anything was seen; below a table, a blank line comes first. */
static bool print_who(FILE *out, const struct report_change *c, bool below_table, int *ret_err)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *mem = open_memstream(&text, &size);

	*ret_err = -ENOMEM;
	if (!mem)
		return false;
	*ret_err = profile_print_functions(mem, c->who, c->pid, c->top);
	if (fclose(mem) || !size)
		return false;
	if (below_table)
		fputc('\n', out);
	fwrite(text, 1, size, out);
	return true;
}

int report_print_change(struct report_printer *p, const struct report_change *c, struct fault *f)
{
	struct rss change = rss_sub(&c->after, &c->before);
	_cleanup_free_ char *table = NULL;
	int err = difference(c, &table, f), who = 0;

	if (table || p->gap)
		fputc('\n', p->out);
	print_start(p, c->time_ns, c->pid);
	if (c->total)
		fprintf(p->out, "total of %.1f s  ", (double)c->interval_ns / 1e9);
	print_rss(p->out, &change, &c->after);
	print_arenas(p->out, c);
	print_pools(p->out, c);
	fputc('\n', p->out);
	report_print_health(p->out, c->pid, p->several, &c->health);
	if (table)
		fputs(table, p->out);
	p->gap = table;
	if (c->who)
		p->gap |= print_who(p->out, c, table, &who);
	if (who && !err)
		err = fault_errno(f, -who, "who made pid %d grow", (int)c->pid);
	return err;
}

static void begin_health(FILE *out, pid_t pid, bool several)
{
	fputs("# health: ", out);
	if (several)
		fprintf(out, "pid %d: ", pid);
}

void report_print_health(FILE *out, pid_t pid, bool several, const struct report_health *h)
{
	const struct {
		uint64_t nr;
		const char *one, *many; /* after the number */
	} lines[] = {
		{h->events_disagreed, "arena event disagrees with the target's counters",
		 "arena events disagree with the target's counters"},
		{h->events_unread, "arena event whose counters could not be read",
		 "arena events whose counters could not be read"},
		{h->state_disagreed, "read of state disagrees with the arena events counted",
		 "reads of state disagree with the arena events counted"},
		{h->records_lost, "fork, exec or exit record dropped",
		 "fork, exec and exit records dropped"},
		{h->targets_lost, "child process could not be watched: map full",
		 "child processes could not be watched: map full"},
		{h->rss_lost, "address space whose RSS could not be followed: map full",
		 "address spaces whose RSS could not be followed: map full"},
		{h->read.arenas_torn, "arena never added up while it was read",
		 "arenas never added up while they were read"},
		{h->read.pools_unread, "pool whose header is not in memory (swapped out)",
		 "pools whose headers are not in memory (swapped out)"},
		{h->read.pools_invalid, "pool header that cannot be",
		 "pool headers that cannot be"},
		{h->read.freelists_unread, "free list could not be read",
		 "free lists could not be read"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		if (!lines[i].nr)
			continue;
		begin_health(out, pid, several);
		fprintf(out, "%" PRIu64 " %s\n", lines[i].nr,
			lines[i].nr == 1 ? lines[i].one : lines[i].many);
	}
	if (h->read.inconsistent) {
		begin_health(out, pid, several);
		fputs("the bytes of all arenas are not the sum of their parts\n", out);
	}
}
