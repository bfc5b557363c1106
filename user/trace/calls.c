/* SPDX-License-Identifier: MIT */
/*
 * Function entry and exit: settings, and probes at their sites.
 */
#include "trace/calls.h"
#include "trace/features.h"
#include "trace/session.h"
#include "trace/uprobe_multi.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"
#include "pymemtrace.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#define MAX_SITES     64
#define MAX_OPEN      (1u << 20)
#define MAX_THREADS   (1u << 16)
#define LOG_BYTES     (16u << 20) /* 200,000 events */
#define MAX_TIDS      1024
#define MAX_MAX_CALLS (1u << 22)

/* A code point; of a byte that is no UTF-8, the one that Python makes of it in a file's name (PEP 383). */
static uint32_t next_char(const unsigned char **p)
{
	const unsigned char *from = *p;
	uint32_t c = from[0], more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;

	++*p;
	if (c < 0x80)
		return c;
	c &= 0x3f >> more;
	for (uint32_t i = 1; i <= more; i++) {
		if ((from[i] & 0xc0) != 0x80)
			return 0xdc00 | from[0];
		c = c << 6 | (from[i] & 0x3f);
	}
	*p += more;
	return more ? c : 0xdc00 | from[0];
}

static int glob_chars(const char *glob, struct pmt_glob *ret)
{
	const unsigned char *p = (const unsigned char *)glob;

	while (*p) {
		if (ret->length == PMT_GLOB_CHARS)
			return -E2BIG;
		ret->chars[ret->length++] = next_char(&p);
	}
	return 0;
}

static int set_globs(struct trace *t, const char *const *list, bool exclude, uint32_t *nr,
		     struct fault *f)
{
	for (; list && *list; list++) {
		struct pmt_glob glob = {.exclude = exclude};

		if (*nr == PMT_MAX_GLOBS)
			return fault_set(f, E2BIG,
					 "more than %d --include and --exclude of functions",
					 PMT_MAX_GLOBS);
		if (!**list)
			return fault_set(f, EINVAL, "an empty pattern matches no function");
		if (glob_chars(*list, &glob))
			return fault_set(f, E2BIG, "'%.80s' has more than %d characters", *list,
					 PMT_GLOB_CHARS);
		if (bpf_map__update_elem(t->skel->maps.globs, nr, sizeof(*nr), &glob, sizeof(glob),
					 BPF_ANY))
			return fault_errno(f, errno, "cannot set what is left out");
		++*nr;
	}
	return 0;
}

static uint32_t count_globs(const char *const *list)
{
	uint32_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

int calls_configure(struct trace *t, struct fault *f)
{
	const struct trace_calls *c = t->options.calls;
	uint32_t calls = c ? max(c->max_calls, 1024u) : 0;

	if (!c)
		return 0;
	t->skel->rodata->cfg_calls = 1;
	t->skel->rodata->cfg_time = c->time;
	t->skel->rodata->cfg_log = c->log;
	t->skel->rodata->cfg_threshold = c->threshold;
	t->skel->rodata->cfg_depth = c->depth;
	t->skel->rodata->cfg_tids = c->nr_tids > 0;
	t->skel->rodata->cfg_globs = count_globs(c->include) + count_globs(c->exclude);
	if (c->nr_tids > MAX_TIDS)
		return fault_set(f, E2BIG, "more than %d threads are asked for", MAX_TIDS);
	bpf_map__set_max_entries(t->skel->maps.calls, min(calls, MAX_MAX_CALLS));
	bpf_map__set_max_entries(t->skel->maps.opened, MAX_OPEN);
	bpf_map__set_max_entries(t->skel->maps.call_threads, MAX_THREADS);
	if (t->skel->rodata->cfg_globs)
		bpf_map__set_max_entries(t->skel->maps.shown_functions,
					 bpf_map__max_entries(t->skel->maps.codes));
	if (c->log)
		bpf_map__set_max_entries(t->skel->maps.call_log, LOG_BYTES);
	return 0;
}

/* A negative result ends ring_buffer__consume() after this record, which counts as consumed. */
static int on_log(void *ctx, void *record, size_t size)
{
	struct call_probes *p = ctx;

	if (p->each && size >= sizeof(struct pmt_call_rec))
		p->each(p->ctx, record);
	return p->left-- > 1 ? 0 : -ECANCELED;
}

int calls_open(struct trace *t, struct fault *f)
{
	const struct trace_calls *c = t->options.calls;
	uint32_t nr = 0;
	uint8_t one = 1;
	int err;

	t->calls = calloc(1, sizeof(*t->calls));
	if (!t->calls)
		return fault_errno(f, ENOMEM, "cannot watch calls");
	err = set_globs(t, c->include, false, &nr, f);
	if (!err)
		err = set_globs(t, c->exclude, true, &nr, f);
	if (err)
		return err;
	for (size_t i = 0; i < c->nr_tids; i++) {
		uint32_t tid = c->tids[i];

		if (bpf_map__update_elem(t->skel->maps.call_tids, &tid, sizeof(tid), &one,
					 sizeof(one), BPF_ANY))
			return fault_errno(f, errno, "cannot choose threads");
	}
	if (c->log) {
		t->calls->log = ring_buffer__new(bpf_map__fd(t->skel->maps.call_log), on_log,
						 t->calls, NULL);
		if (!t->calls->log)
			return fault_errno(f, errno, "cannot open the BPF ring buffer of calls");
	}
	t->calls->by_pid = probe_filters_by_pid(t);
	return 0;
}

static void call_link_done(struct call_link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	for (size_t i = 0; i < l->nr; i++)
		bpf_link__destroy(l->perf[i]);
	free(l->perf);
}

void trace_detach_calls(struct trace *t)
{
	if (!t->calls)
		return;
	for (size_t i = 0; i < t->calls->nr; i++)
		call_link_done(&t->calls->links[i]);
	t->calls->nr = 0;
}

bool trace_calls_attached(const struct trace *t)
{
	return t->calls && t->calls->nr;
}

void calls_close(struct trace *t)
{
	struct ended_calls *e, *next;

	if (!t->calls)
		return;
	trace_detach_calls(t);
	HASH_ITER(hh, t->calls->ended, e, next)
	{
		HASH_DEL(t->calls->ended, e);
		free(e);
	}
	ring_buffer__free(t->calls->log);
	free(t->calls->links);
	free(t->calls);
	t->calls = NULL;
}

static uint64_t cookie_of(const struct trace_call_site *s)
{
	return s->role | (s->exclusive ? PMT_SITE_EXCLUSIVE : 0);
}

static int attach_perf(struct call_link *l, struct trace *t, int file_fd,
		       const struct trace_call_site *sites, size_t nr, struct fault *f)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
	l->perf = calloc(nr, sizeof(struct bpf_link *));
	if (!l->perf)
		return fault_errno(f, ENOMEM, "cannot attach");
	for (size_t i = 0; i < nr; i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, opts, .bpf_cookie = cookie_of(&sites[i]));

		l->perf[i] = bpf_program__attach_uprobe_opts(t->skel->progs.on_call_site,
							     l->pid ? l->pid : -1, path,
							     sites[i].offset, &opts);
		if (!l->perf[i]) {
			int err = errno;

			fault_errno(f, err, "cannot attach to %s at offset 0x%lx", sites[i].name,
				    (unsigned long)sites[i].offset);
			if (err == EACCES || err == EPERM)
				fault_hint(
					f,
					"without uprobe_multi (since Linux 6.6) this takes CAP_SYS_ADMIN");
			return -err;
		}
		l->nr++;
	}
	return 0;
}

static int attach_multi(struct call_link *l, struct trace *t, int file_fd, const char *file_name,
			const struct trace_call_site *sites, size_t nr, struct fault *f)
{
	uint64_t offsets[MAX_SITES], cookies[MAX_SITES];
	char name[256];

	for (size_t i = 0; i < nr; i++) {
		offsets[i] = sites[i].offset;
		cookies[i] = cookie_of(&sites[i]);
	}
	l->fd = uprobe_multi_link(bpf_program__fd(t->skel->progs.on_call_site), file_fd, l->pid,
				  offsets, cookies, nr);
	if (l->fd >= 0)
		return 0;
	text_escape(name, sizeof(name), file_name, strlen(file_name));
	return fault_errno(f, -l->fd, "cannot attach to function entry and exit in %s", name);
}

int trace_attach_calls(struct trace *t, pid_t pid, int file_fd, uint64_t dev, uint64_t inode,
		       const char *file_name, const struct trace_call_site *sites, size_t nr,
		       struct fault *f)
{
	struct call_link link = {.dev = dev, .inode = inode, .fd = -1}, *links;
	int err;

	if (!t->calls || !nr || nr > MAX_SITES)
		return fault_set(f, EINVAL, "no sites of calls");
	link.pid = t->calls->by_pid ? pid : 0;
	for (size_t i = 0; i < t->calls->nr; i++)
		if (t->calls->links[i].dev == dev && t->calls->links[i].inode == inode &&
		    (!t->calls->links[i].pid || t->calls->links[i].pid == link.pid))
			return 0;
	links = reallocarray(t->calls->links, t->calls->nr + 1, sizeof(*links));
	if (!links)
		return fault_errno(f, ENOMEM, "cannot attach to %s", file_name);
	t->calls->links = links;
	err = t->multi ? attach_multi(&link, t, file_fd, file_name, sites, nr, f)
		       : attach_perf(&link, t, file_fd, sites, nr, f);
	if (err) {
		call_link_done(&link);
		return err;
	}
	t->calls->links[t->calls->nr++] = link;
	return 0;
}

void trace_collect_calls(struct trace *t, bool collect)
{
	t->skel->bss->collecting = collect;
}
