/* SPDX-License-Identifier: MIT */
/* The table of events (pymemtrace/events.h) as profiles see it: names, and groups of names. */
#include "model/profile.h"

#include <string.h>

static const struct {
	const char *name, *title, *what, *source;
} events[PROFILE_EVENTS] = {
#define ROW(id, name, title, what, source) [PROFILE_##id] = {name, title, what, source},
	PMT_EVENTS(ROW)
#undef ROW
};
_Static_assert(PROFILE_EVENTS <= 32, "a bit for each");

static const char *const memories[PROFILE_MEMORIES] = {
#define ROW(id, name) [PROFILE_MEMORY_##id] = name,
	PMT_MEMORY_KINDS(ROW)
#undef ROW
};

const char *profile_event_name(enum profile_event e)
{
	return events[e].name;
}

const char *profile_event_title(enum profile_event e)
{
	return events[e].title;
}

const char *profile_event_what(enum profile_event e)
{
	return events[e].what;
}

const char *profile_event_source(enum profile_event e)
{
	return events[e].source;
}

unsigned int profile_events_named(const char *name)
{
	size_t len = strlen(name);
	unsigned int found = 0;

	for (int e = 0; e < PROFILE_EVENTS && len; e++) {
		const char *is = events[e].name;

		if (!strcmp(is, name) || (!strncmp(is, name, len) && is[len] == '-'))
			found |= 1u << e;
	}
	return found;
}

const char *profile_memory_name(enum profile_memory m)
{
	return memories[m];
}
