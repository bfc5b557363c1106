/* SPDX-License-Identifier: MIT */
#include "model/cgroup.h"

#include <stdlib.h>
#include <string.h>

void memory_cgroup_done(struct memory_cgroup *c)
{
	free(c->path);
	free(c->limit_path);
	memset(c, 0, sizeof(*c));
}
