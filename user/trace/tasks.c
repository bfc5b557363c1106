/* SPDX-License-Identifier: MIT */
/*
 * Targets, and which process is which: PIDs of the tool's namespace outside, tgids of the initial
 * namespace inside. The task iterator translates, and registers the mm of targets on its way.
 */
#include "trace/session.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/log.h"
#include "pymemtrace.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

/* An iterator over one process, or all where the kernel cannot choose (before 6.1). */
static struct bpf_link *iter_link(struct trace *t, pid_t pid)
{
	union bpf_iter_link_info info = {.task = {.pid = pid}};
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_link *link = NULL;

	if (!t->iter_unfiltered)
		link = bpf_program__attach_iter(t->skel->progs.on_task, &opts);
	if (!link) {
		link = bpf_program__attach_iter(t->skel->progs.on_task, NULL);
		t->iter_unfiltered = link != NULL;
	}
	return link;
}

int tasks_visit(struct trace *t, pid_t pid, uint32_t *ret_tgid)
{
	struct bpf_link *link = iter_link(t, pid);
	struct pmt_task tasks[64];
	uint32_t tgid = 0;
	ssize_t n;
	int fd;

	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	n = fd < 0 ? fd : 0;
	/* Each read() of the kernel's whole records; the buffer holds a whole number of them. */
	while (fd >= 0 && (n = read(fd, tasks, sizeof(tasks))) != 0) {
		if (n < 0) {
			n = -errno;
			if (n == -EAGAIN || n == -EINTR)
				continue;
			break;
		}
		for (size_t i = 0; i < (size_t)n / sizeof(tasks[0]); i++)
			if (tasks[i].ns_tgid == (uint32_t)pid)
				tgid = tasks[i].tgid;
	}
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	if (n < 0)
		return n;
	if (!tgid)
		return -ESRCH;
	*ret_tgid = tgid;
	return 0;
}

uint32_t known_tgid(const struct trace *t, pid_t pid)
{
	for (size_t i = 0; i < t->nr_known; i++)
		if (t->known[i].pid == pid)
			return t->known[i].tgid;
	return 0;
}

int known_add(struct trace *t, pid_t pid, uint32_t tgid)
{
	known_remove(t, pid);
	if (t->nr_known == t->size_known) {
		size_t size = max(t->size_known * 2, (size_t)16);
		struct known_process *known = reallocarray(t->known, size, sizeof(*known));

		if (!known)
			return -ENOMEM;
		t->known = known;
		t->size_known = size;
	}
	t->known[t->nr_known++] = (struct known_process){.pid = pid, .tgid = tgid};
	return 0;
}

void known_remove(struct trace *t, pid_t pid)
{
	for (size_t i = 0; i < t->nr_known; i++)
		if (t->known[i].pid == pid) {
			t->known[i] = t->known[--t->nr_known];
			return;
		}
}

uint32_t resolve_tgid(struct trace *t, pid_t pid)
{
	uint32_t tgid = known_tgid(t, pid);

	if (tgid || tasks_visit(t, pid, &tgid))
		return tgid;
	known_add(t, pid, tgid);
	return tgid;
}

/* Makes an entry in counts, unless there is one of this very process. */
static int begin_counting(struct trace *t, uint32_t tgid)
{
	const struct bpf_map *counts = t->skel->maps.counts;
	struct pmt_counts c;
	int err;

	err = bpf_map__lookup_elem(counts, &tgid, sizeof(tgid), &c, sizeof(c), 0);
	if (!err)
		return c.ended ? -ESRCH
			       : 0; /* what was counted of it is not lost, but it has ended */
	memset(&c, 0, sizeof(c));
	return bpf_map__update_elem(counts, &tgid, sizeof(tgid), &c, sizeof(c), BPF_ANY);
}

int trace_set_target(struct trace *t, pid_t pid, const struct pmt_target *what, struct fault *f)
{
	struct pmt_target target = *what, old;
	bool is_new;
	uint32_t tgid;
	int err;

	/* Asked anew each time: a PID may have been used again. */
	err = tasks_visit(t, pid, &tgid);
	if (err == -ESRCH)
		return fault_set(f, ESRCH, "no process %d", pid);
	if (err)
		return fault_errno(f, -err, "cannot look up process %d", pid);
	is_new = bpf_map__lookup_elem(t->skel->maps.targets, &tgid, sizeof(tgid), &old, sizeof(old),
				      0);
	if (!is_new)
		target.flags |= old.flags & PMT_STOP_ENTRY;
	/* Counts first: BPF programs look for the target, then expect its counts. */
	err = begin_counting(t, tgid);
	if (!err)
		err = bpf_map__update_elem(t->skel->maps.targets, &tgid, sizeof(tgid), &target,
					   sizeof(target), BPF_ANY);
	if (!err)
		err = known_add(t, pid, tgid);
	/* Also asks whether it lives still: then its end is yet to come, and will be reported. */
	if (!err)
		err = tasks_visit(t, pid, &tgid);
	if (err == -ESRCH) {
		if (is_new)
			trace_remove_target(t, pid);
		return fault_set(f, ESRCH, "process %d has ended", pid);
	}
	if (err == -E2BIG) {
		fault_set(f, E2BIG, "more than %d targets", PMT_MAX_TARGETS);
		return -E2BIG;
	}
	if (err)
		return fault_errno(f, -err, "cannot make process %d a target", pid);
	return 0;
}

int trace_remove_target(struct trace *t, pid_t pid)
{
	uint32_t tgid = resolve_tgid(t, pid);
	struct pmt_counts c;
	int err;

	if (!tgid)
		return -ESRCH;
	/* The target first, so that nothing registers its mm again. */
	err = bpf_map__delete_elem(t->skel->maps.targets, &tgid, sizeof(tgid), 0);
	if (!bpf_map__lookup_elem(t->skel->maps.counts, &tgid, sizeof(tgid), &c, sizeof(c), 0) &&
	    c.mm)
		bpf_map__delete_elem(t->skel->maps.rss, &c.mm, sizeof(c.mm), 0);
	bpf_map__delete_elem(t->skel->maps.counts, &tgid, sizeof(tgid), 0);
	bpf_map__delete_elem(t->skel->maps.walks, &tgid, sizeof(tgid), 0);
	entry_stops_remove(t, tgid);
	known_remove(t, pid);
	return err == -ENOENT ? -ESRCH : err;
}
