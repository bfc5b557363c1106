/* SPDX-License-Identifier: MIT */
#include "cmd/recorder_cgroup.h"

#include "base/cleanup.h"
#include "cmd/cmd.h"
#include "cmd/watch.h"
#include "model/cgroup.h"
#include "model/profile.h"
#include "model/profile_tree.h"
#include "target/cgroup.h"

#include <string.h>

enum { HIGH, MAX, OOM_KILL, COUNTS };

struct recorded_cgroup {
	char *path;
	int version;
	pid_t pid; /* of the first process seen in it */
	uint64_t base[COUNTS], last[COUNTS];
};

static const enum profile_event events[COUNTS] = {
	[HIGH] = PROFILE_CGROUP_HIGH,
	[MAX] = PROFILE_CGROUP_MAX,
	[OOM_KILL] = PROFILE_CGROUP_OOM,
};

#define WANTED (1u << PROFILE_CGROUP_HIGH | 1u << PROFILE_CGROUP_MAX | 1u << PROFILE_CGROUP_OOM)

static struct recorded_cgroup *find(struct recorder_cgroups *r, const struct memory_cgroup *now)
{
	for (size_t i = 0; i < r->nr; i++)
		if (r->cgroups[i].version == now->version && !strcmp(r->cgroups[i].path, now->path))
			return &r->cgroups[i];
	return NULL;
}

static struct recorded_cgroup *add(struct recorder_cgroups *r, const struct memory_cgroup *now,
				   const uint64_t counts[COUNTS], pid_t pid)
{
	struct recorded_cgroup *more = reallocarray(r->cgroups, r->nr + 1, sizeof(*more)), *c;

	if (!more)
		return NULL;
	r->cgroups = more;
	c = &more[r->nr];
	*c = (struct recorded_cgroup){.version = now->version, .pid = pid};
	c->path = strdup(now->path);
	if (!c->path)
		return NULL;
	memcpy(c->base, counts, sizeof(c->base));
	r->nr++;
	return c;
}

static void look(struct recorder_cgroups *r, const struct memory_cgroup *now, pid_t pid)
{
	const uint64_t counts[COUNTS] = {
		[HIGH] = now->events_high,
		[MAX] = now->events_max,
		[OOM_KILL] = now->events_oom_kill,
	};
	struct recorded_cgroup *c = find(r, now);

	if (!c)
		c = add(r, now, counts, pid);
	if (c)
		memcpy(c->last, counts, sizeof(c->last));
}

/* In all cgroups that it was the first in. */
static uint64_t counted(const struct recorder_cgroups *r, pid_t pid, int which)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < r->nr; i++) {
		const struct recorded_cgroup *c = &r->cgroups[i];

		if (c->pid == pid && c->base[which] != CGROUP_UNKNOWN &&
		    c->last[which] != CGROUP_UNKNOWN && c->last[which] > c->base[which])
			sum += c->last[which] - c->base[which];
	}
	return sum;
}

void recorder_cgroup(struct recorder_cgroups *r, struct profile *p, const struct options *o,
		     const struct watched *w)
{
	struct memory_cgroup now = {0};
	struct profile_process *of;
	pid_t pid = w->process.id.pid;

	if (!(o->events & WANTED) || !profile_find_process(p, pid))
		return;
	if (!target_memory_cgroup(w->process.target, false, &now, NULL)) {
		if (now.version)
			look(r, &now, pid);
		else if (!r->told)
			report_note(o,
				    "pid %d is in no memory cgroup that is to be seen from here: "
				    "its counts are missing",
				    (int)pid);
		r->told |= !now.version;
	}
	memory_cgroup_done(&now);
	if (profile_add_process(p, pid, &of))
		return;
	for (int i = 0; i < COUNTS; i++)
		of->causes[events[i]][PROFILE_NO_STACK].events = counted(r, pid, i);
}

void recorder_cgroups_done(struct recorder_cgroups *r)
{
	for (size_t i = 0; i < r->nr; i++)
		free(r->cgroups[i].path);
	free(r->cgroups);
	*r = (struct recorder_cgroups){0};
}
