/* SPDX-License-Identifier: MIT */
/*
 * Texts that say where a cgroup is. Input: mountinfo, and behind a NUL /proc/PID/cgroup; how they fit
 * together is what an open folder would be looked for by.
 */
#include "target/cgroup_internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void fit(const struct cgroup_mount *m, const struct cgroup_place *place)
{
	const char *below = cgroup_below(place->path, m->root);
	size_t path_len = strlen(place->path);

	if (m->root[0] != '/' || m->point[0] != '/')
		abort();
	/* a part of the path, from a slash or the end on */
	if (below &&
	    (below < place->path || below > place->path + path_len || (*below && *below != '/')))
		abort();
	if (!strcmp(m->root, "/") && !below)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 2);
	const char *mounts = text, *at;
	struct cgroup_place place;
	struct cgroup_mount m;

	if (!text)
		return 0;
	memcpy(text, data, len);
	text[len] = text[len + 1] = 0;
	if (cgroup_parse_place(text + strlen(text) + (strlen(text) < len), &place))
		abort();
	if ((place.version != 0) != (place.path != NULL) || (place.path && place.path[0] != '/'))
		abort();
	for (int version = 1; version <= 2; version++) {
		for (at = mounts; cgroup_next_mount(&at, version, &m) == 1;) {
			if (place.path)
				fit(&m, &place);
			cgroup_mount_done(&m);
		}
	}
	free(place.path);
	free(text);
	return 0;
}
