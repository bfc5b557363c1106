/* SPDX-License-Identifier: MIT */
/*
 * Writes a profile made by hand to standard output, in one of report's formats.
 *
 *	sample_profile FORMAT KIND [EVENT|inverted|by-thread|PID]...
 *
 * KIND: exact, sampled, hostile, many, empty.
 */
#include "../unit/sample_profile.h"

#include "base/fault.h"
#include "output/profile_out.h"

#include <stdio.h>

static struct profile *make(const char *kind)
{
	struct profile *p;

	if (!strcmp(kind, "empty"))
		return profile_new();
	p = sample_profile(strcmp(kind, "sampled") != 0);
	if (p && ((!strcmp(kind, "hostile") && sample_hostile_stacks(p)) ||
		  (!strcmp(kind, "many") && sample_many_stacks(p, 3000)))) {
		profile_free(p);
		return NULL;
	}
	if (p)
		profile_balance(p);
	return p;
}

static int parse_view(struct profile_view *view, const char *arg)
{
	if (!strcmp(arg, "inverted"))
		view->inverted = true;
	else if (!strcmp(arg, "by-thread"))
		view->by_thread = true;
	else if (profile_events_named(arg))
		view->events |= profile_events_named(arg);
	else
		view->pid = atoi(arg);
	return view->pid < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct profile_view view = {.top = PROFILE_TOP_ALL};
	struct fault f = {0};
	struct profile *p;
	int err = argc < 3 ? -1 : 0;

	for (int i = 3; i < argc; i++)
		err |= parse_view(&view, argv[i]);
	if (err) {
		fprintf(stderr,
			"usage: sample_profile FORMAT KIND [EVENT|inverted|by-thread|PID]...\n");
		return 2;
	}
	p = make(argv[2]);
	if (!p)
		return 1;
	err = profile_write(stdout, p, &view, argv[1], &f);
	if (err)
		fprintf(stderr, "sample_profile: %s\n", f.text);
	profile_free(p);
	return err ? 1 : 0;
}
