/* SPDX-License-Identifier: MIT */
#include "cmd/recorder_arenas.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "cmd/cmd.h"
#include "cmd/collect.h"
#include "cmd/watch.h"
#include "python/python.h"
#include "target/target.h"

void recorder_arenas(struct collector *c, const struct options *o, const struct watched *w)
{
	_cleanup_free_ struct python_arena *arenas = NULL;
	struct fault f = {0};
	size_t nr = 0;

	if (!w->process.supported)
		return;
	if (python_read_arena_list(w->process.python, &arenas, &nr, &f)) {
		report_note(o, "the arenas alive are not listed: %s", f.text);
		return;
	}
	for (size_t i = 0; i < nr; i++) {
		struct profile_arena a = {
			.pid = w->process.id.pid,
			.address = arenas[i].address,
			.bytes = arenas[i].bytes,
			.used_bytes = arenas[i].used_bytes,
			.pools = arenas[i].pools,
			.free_pools = arenas[i].free_pools,
		};

		if (collector_add_arena(c, &a))
			return;
	}
}
