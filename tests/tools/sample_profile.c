/* SPDX-License-Identifier: MIT */
/*
 * Writes a profile made by hand to standard output, in one of report's formats; without EVENT of all.
 *
 *	sample_profile FORMAT KIND [EVENT]     KIND: exact, sampled, hostile, many, empty
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

int main(int argc, char **argv)
{
	struct profile_view view = {.top = PROFILE_TOP_ALL};
	enum profile_event event;
	struct fault f = {0};
	struct profile *p;
	int err;

	if (argc < 3 || (argc > 3 && profile_event_from_name(argv[3], &event))) {
		fprintf(stderr, "usage: sample_profile FORMAT KIND [EVENT]\n");
		return 2;
	}
	p = make(argv[2]);
	if (!p)
		return 1;
	if (argc > 3)
		view.events = 1u << event;
	err = profile_write(stdout, p, &view, argv[1], &f);
	if (err)
		fprintf(stderr, "sample_profile: %s\n", f.text);
	profile_free(p);
	return err ? 1 : 0;
}
