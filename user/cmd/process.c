/* SPDX-License-Identifier: MIT */
#include "cmd/process.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/cmd.h"
#include "python/python.h"
#include "target/target.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_ATTEMPTS 8

bool process_find_python(struct process *p, bool strict)
{
	struct python *found = NULL;
	struct fault why = {0};
	int err = python_open(&found, p->target, strict, &why);

	if (!found && p->python)
		return false; /* a process on its way out has no mappings any more */
	python_close(p->python);
	p->python = found;
	p->why = why;
	p->supported = !err;
	return true;
}

void process_forget_python(struct process *p)
{
	python_close(p->python);
	p->python = NULL;
	p->supported = false;
}

int process_open(struct process *ret, pid_t pid, bool strict, struct fault *f)
{
	struct process p = {0};
	int err = target_open(&p.target, pid, f);

	if (!err)
		err = target_identify(p.target, &p.id, f);
	if (err) {
		process_done(&p);
		return err;
	}
	process_find_python(&p, strict);
	*ret = p;
	return 0;
}

void process_done(struct process *p)
{
	python_close(p->python);
	process_id_done(&p->id);
	target_close(p->target);
	memset(p, 0, sizeof(*p));
}

static int read_all(struct process *p, bool state, struct snapshot *s, struct fault *f)
{
	int err = target_rss(p->target, &s->rss, f);

	if (err)
		return err;
	if (p->supported && state) {
		err = python_read_stats(p->python, &s->stats, &s->losses, f);
		if (err)
			return err;
		s->has_stats = true;
	}
	if (p->python)
		s->python = *python_id(p->python);
	s->time_ns = clock_realtime_ns();
	return 0;
}

static int read_paused(struct process *p, struct snapshot *s, struct fault *f)
{
	struct pause *stopped = NULL;
	int err = target_pause(&stopped, p->target, f);

	if (err)
		return err;
	err = read_all(p, true, s, f);
	s->pause_ns = target_resume(stopped);
	s->paused = true;
	return err;
}

/* s owns copies from here on; a target that ended meanwhile fails every read in its own way. */
static int finish(struct process *p, int err, struct snapshot *s, struct snapshot *ret,
		  struct fault *f)
{
	if (err) {
		if (err == -ESRCH || target_ended(p->target))
			err = fault_set(f, ESRCH, "pid %d has ended", (int)p->target->pid);
		return err;
	}
	process_id_copy(&s->process, &p->id);
	*ret = *s;
	return 0;
}

int process_snapshot(struct process *p, bool pause, struct snapshot *ret, struct fault *f)
{
	struct snapshot s;
	int err;

	/* A stop can hit the middle of pymalloc, where its books are open: then another moment. */
	for (int attempt = 0; attempt < PAUSE_ATTEMPTS; attempt++) {
		s = (struct snapshot){.process = p->id};
		err = pause ? read_paused(p, &s, f) : read_all(p, true, &s, f);
		if (err || !pause || !s.losses.inconsistent)
			break;
	}
	return finish(p, err, &s, ret, f);
}

int process_rss(struct process *p, struct snapshot *ret, struct fault *f)
{
	struct snapshot s = {.process = p->id};
	int err = read_all(p, false, &s, f);

	return finish(p, err, &s, ret, f);
}

bool process_matches(const struct options *o, const struct process_id *id)
{
	const char *command = id->cmdline && *id->cmdline ? id->cmdline : id->comm;
	bool in = !o->include;

	if (!command)
		command = "";
	for (const char **g = o->include; g && *g; g++)
		in |= !fnmatch(*g, command, 0);
	for (const char **g = o->exclude; g && *g; g++)
		in &= !!fnmatch(*g, command, 0);
	return in;
}

bool process_is_among(pid_t pid, const pid_t *pids, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

int process_select(const struct options *o, pid_t **ret, struct fault *f)
{
	pid_t *pids = calloc(o->nr_pids + 1, sizeof(*pids));
	size_t nr = o->nr_pids;

	if (!pids)
		return fault_set(f, ENOMEM, "no memory");
	memcpy(pids, o->pids, nr * sizeof(*pids));
	for (size_t i = 0; o->children && i < o->nr_pids; i++) {
		_cleanup_free_ pid_t *more = NULL;
		int n = target_list_descendants(o->pids[i], &more);
		pid_t *grown;

		if (n <= 0)
			continue;
		grown = realloc(pids, (nr + (size_t)n) * sizeof(*pids));
		if (!grown) {
			free(pids);
			return fault_set(f, ENOMEM, "no memory");
		}
		pids = grown;
		for (int k = 0; k < n; k++)
			if (!process_is_among(more[k], pids, nr))
				pids[nr++] = more[k];
	}
	*ret = pids;
	return (int)nr;
}
