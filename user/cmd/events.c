/* SPDX-License-Identifier: MIT */
#include "cmd/events.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "cmd/cmd.h"
#include "model/profile.h"
#include "trace/trace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

char *event_names(char buf[static EVENT_NAMES_SIZE], unsigned int events)
{
	size_t used = 0;

	buf[0] = 0;
	for (int e = 0; e < PROFILE_EVENTS; e++)
		if (events & 1u << e && used < EVENT_NAMES_SIZE)
			used += (size_t)snprintf(buf + used, EVENT_NAMES_SIZE - used, "%s%s",
						 used ? ", " : "", profile_event_name(e));
	return buf;
}

unsigned int events_missing(unsigned int wanted, unsigned int recorded)
{
	unsigned int missing = wanted & ~recorded;

	for (int e = 0; e < PROFILE_EVENTS; e++) {
		const char *name = profile_event_name(e);
		char group[32] = "";

		if (!(missing & 1u << e))
			continue;
		memcpy(group, name, min(strcspn(name, "-"), sizeof(group) - 1));
		if (profile_events_named(group) & wanted & recorded)
			missing &= ~(1u << e);
	}
	return missing;
}

/*
 *	yes  fault-major       page faults that waited for a file or for swap
 *	                       from software event page-faults-maj
 */
int event_list_print(void)
{
	for (int e = 0; e < PROFILE_EVENTS; e++) {
		const char *why = NULL;
		bool has = trace_has_event((enum pmt_stack_event)e, &why);

		printf("%-4s %-17s %s\n%-22s from %s\n", has ? "yes" : "no", profile_event_name(e),
		       profile_event_what(e), "", profile_event_source(e));
		if (!has)
			printf("%-22s not here: %s\n", "", why);
	}
	puts("\nThe part before a '-' means all of a group: --event fault,mmap,madvise");
	return report_printed(0);
}

int events_check(unsigned int events, struct fault *f)
{
	for (int e = 0; e < PROFILE_EVENTS; e++) {
		const char *why = NULL;

		if (!(events & 1u << e) || trace_has_event((enum pmt_stack_event)e, &why))
			continue;
		if (e == PROFILE_RSS) /* RSS is then as of each look */
			continue;
		fault_set(f, ENOTSUP, "this kernel does not tell of %s: %s", profile_event_name(e),
			  why);
		fault_hint(f, "pymemtrace-bpf record --event list says what there is");
		return -ENOTSUP;
	}
	return 0;
}
