/* SPDX-License-Identifier: MIT */
/*
 * Prints, as JSON, the memory cgroup of a process, for tests/live/test_cgroup; then its text. With a
 * third argument a series of them, one for each line of standard input, an empty line behind each:
 *
 *	print_cgroup PID
 *	{"version": 2, "path": "/kubepods/pod1", "usage": 3579904, "limit": -1, ...}
 *	cgroup   /kubepods/pod1: 3.4 MiB, no limit, ...
 *
 * -1: no limit; null: not known.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "model/cgroup.h"
#include "model/cgroup_rate.h"
#include "output/cgroup_text.h"
#include "target/cgroup.h"
#include "target/smaps.h"
#include "target/target.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *figure(uint64_t v)
{
	if (v == CGROUP_UNKNOWN)
		return json_null();
	return json_integer(v == CGROUP_NO_LIMIT ? -1 : (json_int_t)v);
}

static json_t *text(const char *s)
{
	return s ? json_string(s) : json_null();
}

static void print_json(const struct memory_cgroup *c)
{
	json_t *o = json_object();

#define SET(name) json_object_set_new(o, #name, figure(c->name))
	json_object_set_new(o, "version", json_integer(c->version));
	json_object_set_new(o, "path", text(c->path));
	json_object_set_new(o, "limit_path", text(c->limit_path));
	json_object_set_new(o, "room_path", text(c->room_path));
	json_object_set_new(o, "room_high", json_boolean(c->room_high));
	json_object_set_new(o, "processes", json_integer(c->processes));
	SET(usage);
	SET(limit);
	SET(high);
	SET(peak);
	SET(room);
	SET(swap_usage);
	SET(swap_limit);
	SET(anon);
	SET(file);
	SET(kernel);
	SET(shmem);
	SET(file_inactive);
	SET(events_high);
	SET(events_max);
	SET(events_oom);
	SET(events_oom_kill);
	SET(pressure_some_us);
	SET(pressure_full_us);
#undef SET
	json_dumpf(o, stdout, JSON_SORT_KEYS);
	putchar('\n');
	json_decref(o);
}

static int print_one(const struct target *t, struct cgroup_rate *rate, struct fault *f)
{
	_cleanup_(memory_cgroup_done) struct memory_cgroup c = {0};
	struct cgroup_growth growth = {0};
	struct smaps_entry sum;
	int err = target_memory_cgroup(t, true, &c, f);

	if (!err)
		err = target_smaps_rollup(t, &sum, f);
	if (err)
		return err;
	if (rate) {
		cgroup_rate_add(rate, clock_monotonic_ns(), &c);
		cgroup_rate_steady(rate, &growth);
	}
	print_json(&c);
	cgroup_print(stdout, &c, sum.pss, growth.bytes_per_second);
	if (rate)
		putchar('\n');
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	struct cgroup_rate rate = {0};
	struct target *t = NULL;
	struct fault f = {0};
	char line[8];
	int err;

	if (argc < 2)
		return 2;
	err = target_open(&t, atoi(argv[1]), &f);
	if (!err && argc == 2)
		err = print_one(t, NULL, &f);
	while (!err && argc > 2 && fgets(line, sizeof(line), stdin))
		err = print_one(t, &rate, &f);
	if (err)
		fprintf(stderr, "print_cgroup: %s\n", f.text);
	target_close(t);
	return err ? 1 : 0;
}
