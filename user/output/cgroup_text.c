/* SPDX-License-Identifier: MIT */
/*
 *	cgroup   /kubepods/pod1: 3.1 GiB of 4.0 GiB (this process 78 % of it), peak 3.9 GiB, 7 processes
 *	         800.0 MiB left of the limit of /kubepods; slowed down from 3.5 GiB on
 *	         events: high 3, max 12, oom 0, oom_kill 0; waited for memory 1.2 s, all at once 0.3 s
 *	         page cache that goes first under pressure: 200.0 MiB; swap 12.0 MiB of 1.0 GiB
 *	         about 6 min to the limit at this rate (+2.5 MiB/s)
 */
#include "output/cgroup_text.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "model/cgroup.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define MAX_PATH      160 /* columns of what others choose */
#define INDENT	      "         "
#define MONTH_SECONDS (30.0 * 86400)

static void print_size(FILE *out, uint64_t bytes)
{
	char size[24];

	fputs(text_size(size, (int64_t)min(bytes, (uint64_t)INT64_MAX), false), out);
}

/* Its end says more than its beginning: names of containers are long. */
static void print_path(FILE *out, const char *path)
{
	char text[MAX_PATH];
	size_t len = strlen(path), cut = 0;

	/* an escaped byte has four characters */
	if (len > sizeof(text) - 1) {
		cut = len - (sizeof(text) - 1);
		fputs("...", out);
	}
	fputs(text_escape(text, sizeof(text), path + cut, len - cut), out);
}

static bool known(uint64_t bytes)
{
	return bytes != CGROUP_UNKNOWN;
}

static bool limited(uint64_t bytes)
{
	return bytes < CGROUP_NO_LIMIT;
}

/* " of 4.0 GiB", with whose it is where it is not its own */
static void print_limit(FILE *out, const struct memory_cgroup *c)
{
	if (!limited(c->limit)) {
		fputs(known(c->limit) ? ", no limit" : "", out);
		return;
	}
	fputs(" of ", out);
	print_size(out, c->limit);
	if (c->limit_path && !strcmp(c->limit_path, "/..")) {
		fputs(", a limit above it", out);
	} else if (c->limit_path) {
		fputs(", the limit of ", out);
		print_path(out, c->limit_path);
	}
}

/* What is charged to it and what a process maps are not quite the same: at most all of it is. */
static void print_share(FILE *out, const struct memory_cgroup *c, uint64_t process_bytes)
{
	double percent = 100.0 * (double)process_bytes / (double)c->usage;

	if (c->usage && process_bytes)
		fprintf(out, " (this process %.0f %% of it)", fmin(percent, 100));
}

static void print_usage(FILE *out, const struct memory_cgroup *c, uint64_t process_bytes)
{
	fputs("cgroup   ", out);
	print_path(out, c->path);
	fputs(": ", out);
	print_size(out, c->usage);
	print_limit(out, c);
	print_share(out, c, process_bytes);
	if (known(c->peak)) {
		fputs(", peak ", out);
		print_size(out, c->peak);
	}
	if (c->processes)
		fprintf(out, ", %" PRIu32 " process%s", c->processes,
			c->processes == 1 ? "" : "es");
	fputc('\n', out);
}

/* Begins a line with its first part, and goes on with "; ". */
struct parts {
	FILE *out;
	bool begun;
};

static FILE *part(struct parts *p)
{
	fputs(p->begun ? "; " : INDENT, p->out);
	p->begun = true;
	return p->out;
}

static void end_line(struct parts *p)
{
	if (p->begun)
		fputc('\n', p->out);
	p->begun = false;
}

/* Another limit than the smallest may be nearer: of one above that others use up too. */
static void print_limits(struct parts *p, const struct memory_cgroup *c)
{
	if (limited(c->room) && c->room_path) {
		print_size(part(p), c->room);
		fprintf(p->out, " left of the %s of ", c->room_high ? "memory.high" : "limit");
		print_path(p->out, c->room_path);
	}
	if (limited(c->high) && c->version == 2) {
		fputs("slowed down from ", part(p));
		print_size(p->out, c->high);
		fputs(" on", p->out);
	}
	end_line(p);
}

static void print_events(struct parts *p, const struct memory_cgroup *c)
{
	const struct {
		const char *name;
		uint64_t n;
	} events[] = {
		{"high", c->events_high},
		{c->version == 1 ? "failcnt" : "max", c->events_max},
		{"oom", c->events_oom},
		{"oom_kill", c->events_oom_kill},
	};
	const char *before = "events: ";
	bool news = limited(c->limit) || limited(c->high);

	/* without a limit that nothing has happened is no news */
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		news |= known(events[i].n) && events[i].n;
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		if (!news || !known(events[i].n))
			continue;
		fprintf(p->begun ? p->out : part(p), "%s%s %" PRIu64, before, events[i].name,
			events[i].n);
		before = ", ";
	}
	if (known(c->pressure_some_us) && known(c->pressure_full_us) && c->pressure_some_us)
		fprintf(part(p), "waited for memory %.1f s, all at once %.1f s",
			(double)c->pressure_some_us / 1e6, (double)c->pressure_full_us / 1e6);
	end_line(p);
}

static void print_rest(struct parts *p, const struct memory_cgroup *c)
{
	if (known(c->file_inactive)) {
		fputs("page cache that goes first under pressure: ", part(p));
		print_size(p->out, c->file_inactive);
	}
	if (known(c->swap_usage) && c->swap_usage) {
		fputs("swap ", part(p));
		print_size(p->out, c->swap_usage);
		if (limited(c->swap_limit)) {
			fputs(" of ", p->out);
			print_size(p->out, c->swap_limit);
			fputs(c->version == 1 ? " with memory" : "", p->out);
		}
	}
	end_line(p);
}

static void print_rate(struct parts *p, const struct memory_cgroup *c, double rate)
{
	char left[CGROUP_TEXT_LEFT], size[24];

	if (!(rate > 0))
		return;
	cgroup_text_left(left, c, rate);
	text_size(size, (int64_t)fmin(rate, 9e18), true);
	if (*left)
		fprintf(part(p), "%s (%s/s)", left, size);
	else
		fprintf(part(p), "it grows by %s/s", size + 1);
	end_line(p);
}

void cgroup_print(FILE *out, const struct memory_cgroup *c, uint64_t process_bytes, double rate)
{
	struct parts p = {.out = out};

	if (!c->version || !c->path || !known(c->usage))
		return;
	print_usage(out, c, process_bytes);
	print_limits(&p, c);
	print_events(&p, c);
	print_rest(&p, c);
	print_rate(&p, c, rate);
}

/* As roughly as it is known. */
char *cgroup_text_left(char buf[static CGROUP_TEXT_LEFT], const struct memory_cgroup *c,
		       double rate)
{
	double s = memory_cgroup_seconds_left(c, rate);
	const char *to = c->room_high ? "to memory.high" : "to the limit";

	if (s > MONTH_SECONDS)
		buf[0] = 0;
	else if (s < 10)
		snprintf(buf, CGROUP_TEXT_LEFT, "less than 10 s %s at this rate", to);
	else if (s < 95)
		snprintf(buf, CGROUP_TEXT_LEFT, "about %.0f s %s at this rate", round(s / 10) * 10,
			 to);
	else if (s < 90 * 60)
		snprintf(buf, CGROUP_TEXT_LEFT, "about %.0f min %s at this rate", round(s / 60),
			 to);
	else if (s < 36 * 3600)
		snprintf(buf, CGROUP_TEXT_LEFT, "about %.0f h %s at this rate", round(s / 3600),
			 to);
	else
		snprintf(buf, CGROUP_TEXT_LEFT, "about %.0f days %s at this rate", round(s / 86400),
			 to);
	return buf;
}
