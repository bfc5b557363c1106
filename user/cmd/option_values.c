/* SPDX-License-Identifier: MIT */
#include "cmd/option_values.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "cmd/cmd.h"
#include "cmd/events.h"
#include "model/profile.h"

#include <stdlib.h>
#include <string.h>

#define MAX_IDS	    1024
#define MAX_GLOBS   64
#define MAX_PERCENT 100000

/* "42", "42,43", "42 43" (the output of pidof) */
void option_ids(const struct command *c, const char *option, const char *what, char *list,
		pid_t **ids, size_t *nr)
{
	for (char *save = NULL, *word = strtok_r(list, ", \t\n", &save); word;
	     word = strtok_r(NULL, ", \t\n", &save)) {
		bool known = false;
		uint64_t id;
		pid_t *more;
		char shown[64];

		if (text_parse_u64(word, 1, PID_LIMIT, &id))
			options_usage(c, "%s %s: not a %s (1 to %d)", option,
				      text_escape(shown, sizeof(shown), word, strlen(word)), what,
				      PID_LIMIT);
		for (size_t i = 0; i < *nr; i++)
			known |= (*ids)[i] == (pid_t)id;
		if (known)
			continue;
		if (*nr == MAX_IDS)
			options_usage(c, "%s: more than %d %ss", option, MAX_IDS, what);
		more = realloc(*ids, (*nr + 1) * sizeof(*more));
		if (!more)
			abort();
		*ids = more;
		(*ids)[(*nr)++] = (pid_t)id;
	}
	if (!*nr)
		options_usage(c, "%s: no %s given", option, what);
}

void option_glob(const struct command *c, const char *glob, const char ***list)
{
	const char **more;
	size_t nr = 0;

	while (*list && (*list)[nr])
		nr++;
	if (nr == MAX_GLOBS)
		options_usage(c, "more than %d globs", MAX_GLOBS);
	more = realloc(*list, (nr + 2) * sizeof(*more));
	if (!more)
		abort();
	*list = more;
	more[nr] = glob;
	more[nr + 1] = NULL;
}

/* "rss,fault-major,madvise": the last is a group */
unsigned int option_events(const struct command *c, const char *list)
{
	unsigned int events = 0;

	if (!strcmp(list, "list"))
		exit(event_list_print());

	while (*list) {
		size_t len = strcspn(list, ",");
		char name[32] = "", shown[64], known[EVENT_NAMES_SIZE];
		unsigned int found;

		if (len < sizeof(name))
			memcpy(name, list, len);
		found = profile_events_named(name);
		if (!found)
			options_usage(c, "--event %s: not one of: %s",
				      text_escape(shown, sizeof(shown), list, len),
				      event_names(known, ~0u));
		events |= found;
		list += len + (list[len] == ',');
	}
	if (!events)
		options_usage(c, "--event: none given");
	return events;
}

/* "5", "0.5", "20%" */
double option_percent(const struct command *c, const char *option, const char *text)
{
	char *end = NULL, shown[64];
	double percent = *text >= '0' && *text <= '9' ? strtod(text, &end) : 0;

	if (end && *end == '%')
		end++;
	if (!end || *end || !(percent > 0 && percent <= MAX_PERCENT))
		options_usage(c, "%s %s: not a number of percent above 0 (5, 0.5, 200)", option,
			      text_escape(shown, sizeof(shown), text, strlen(text)));
	return percent;
}
