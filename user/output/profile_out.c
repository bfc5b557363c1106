/* SPDX-License-Identifier: MIT */
/* THE TABLE OF FORMATS (profile_out.h), and what of a profile a view shows. */
#include "output/profile_out.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"
#include "output/tables.h"

#include <errno.h>
#include <string.h>

/* The first is the default. */
const struct profile_format profile_formats[] = {
	{.name = "text", .suffixes = ".txt", .write = profile_write_text},
	{.name = "folded",
	 .suffixes = ".folded .collapsed",
	 .write = profile_write_folded,
	 .one_event = true},
	{.name = "svg", .suffixes = ".svg", .write = profile_write_svg, .one_event = true},
	{.name = "pprof", .suffixes = ".pb.gz .pprof", .write = profile_write_pprof},
	{.name = "speedscope",
	 .suffixes = ".speedscope .speedscope.json",
	 .write = profile_write_speedscope},
	{.name = "json", .suffixes = ".json", .write = profile_write_json},
	{0},
};

const struct profile_format *profile_format_find(const char *name)
{
	for (const struct profile_format *t = profile_formats; t->name; t++)
		if (!strcmp(t->name, name))
			return t;
	return NULL;
}

/* Length of the longest of the suffixes that path ends in and does not consist of. */
static size_t suffix_length(const char *path, const char *suffixes)
{
	size_t len = strlen(path), longest = 0;

	while (*suffixes) {
		size_t n = strcspn(suffixes, " ");

		if (len > n && !strncmp(path + len - n, suffixes, n))
			longest = max(longest, n);
		suffixes += n;
		suffixes += *suffixes == ' ';
	}
	return longest;
}

const struct profile_format *profile_format_of_file(const char *path)
{
	const struct profile_format *found = NULL;
	size_t longest = 0;

	for (const struct profile_format *t = profile_formats; t->name; t++) {
		size_t n = suffix_length(path, t->suffixes);

		if (n > longest) {
			longest = n;
			found = t;
		}
	}
	return found;
}

unsigned int profile_view_events(const struct profile *p, const struct profile_view *view)
{
	return view->events ? view->events & p->events : p->events;
}

enum profile_event profile_view_event(const struct profile *p, const struct profile_view *view)
{
	unsigned int events = profile_view_events(p, view);

	for (int e = 0; e < PROFILE_EVENTS; e++)
		if (events & 1u << e)
			return e;
	return PROFILE_RSS;
}

const struct field *profile_sort_field(const char *name)
{
	const struct field *found = fields_find(&function_table, name);
	char in_bytes[64];

	if (found)
		return found;
	snprintf(in_bytes, sizeof(in_bytes), "%s_bytes", name);
	return fields_find(&function_table, in_bytes);
}

/* "self_bytes, total_bytes, ..." */
static void name_columns(char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = 0;
	for (size_t i = 0; i < function_table.nr && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s", i ? ", " : "",
					 function_table.rows[i].name);
}

static int check_view(const struct profile *p, const struct profile_view *view, struct fault *f)
{
	char name[64], columns[400];

	if (view->events & ~p->events) {
		for (int e = 0; e < PROFILE_EVENTS; e++)
			if (view->events & ~p->events & 1u << e)
				return fault_set(f, EINVAL, "event '%s' was not recorded",
						 profile_event_name(e));
	}
	if (!view->sort || profile_sort_field(view->sort))
		return 0;
	fault_set(f, EINVAL, "--sort %s: not a column",
		  text_escape(name, sizeof(name), view->sort, strlen(view->sort)));
	name_columns(columns, sizeof(columns));
	fault_hint(f, "the columns are %s", columns);
	return -EINVAL;
}

int profile_write(FILE *out, const struct profile *p, const struct profile_view *view,
		  const char *format, struct fault *f)
{
	const struct profile_format *t = profile_format_find(format);
	char name[64];
	int err;

	if (!t)
		return fault_set(f, EINVAL, "no format '%s'",
				 text_escape(name, sizeof(name), format, strlen(format)));
	err = check_view(p, view, f);
	if (err)
		return err;
	errno = 0;
	err = t->write(out, p, view, f);
	if (!err && (fflush(out) || ferror(out)))
		err = fault_errno(f, errno ? errno : EIO, "cannot write the report");
	return err;
}
