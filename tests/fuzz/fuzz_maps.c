/* SPDX-License-Identifier: MIT */
/* Texts of /proc: maps as one input; stat, status and cgroup have the same reader behind them. */
#include "target/maps.h"
#include "target/proc.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);
	struct proc_stat st;
	struct maps m;
	pid_t pid;

	memcpy(text, data, len);
	text[len] = 0;
	if (!maps_parse(&m, text, len)) {
		uint64_t last = 0;

		for (size_t i = 0; i < m.nr; i++) {
			if (m.v[i].start < last || m.v[i].end <= m.v[i].start)
				abort();
			last = m.v[i].end;
			if (maps_find(&m, m.v[i].start) != &m.v[i] ||
			    maps_find(&m, m.v[i].end - 1) != &m.v[i])
				abort();
		}
		maps_done(&m);
	}
	proc_parse_stat(text, &st);
	proc_status_nspid(text, &pid);
	proc_parse_pid(text);
	free(proc_container(text));
	free(text);
	return 0;
}
