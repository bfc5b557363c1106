/* SPDX-License-Identifier: MIT */
/*
 * What BPF has counted: maps and the ring buffer.
 */
#include "trace/session.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "pymemtrace.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static struct rss rss_bytes(const __s64 pages[PMT_RSS_KINDS])
{
	long page = sysconf(_SC_PAGESIZE);

	return (struct rss){
		.anon = pages[PMT_RSS_ANON] * page,
		.file = pages[PMT_RSS_FILE] * page,
		.shmem = pages[PMT_RSS_SHMEM] * page,
		.swap = pages[PMT_RSS_SWAP] * page,
	};
}

/* One process's entries of `counts` and `rss`; r is what counts.last says if it has no mm. */
static int read_maps(struct trace *t, uint32_t tgid, struct pmt_counts *c, struct pmt_rss *r)
{
	/* An exec between the two look-ups changes the mm: then look again. */
	for (int i = 0; i < 8; i++) {
		int err = bpf_map__lookup_elem(t->skel->maps.counts, &tgid, sizeof(tgid), c,
					       sizeof(*c), 0);

		if (err)
			return err == -ENOENT ? -ESRCH : err;
		if (!c->mm) {
			*r = c->last;
			memcpy(r->exact, r->pages, sizeof(r->exact));
			r->events = r->foreign = r->seen[0] = r->seen[1] = 0;
			return 0;
		}
		if (!bpf_map__lookup_elem(t->skel->maps.rss, &c->mm, sizeof(c->mm), r, sizeof(*r),
					  0) &&
		    r->tgid == tgid)
			return 0;
	}
	return -EAGAIN;
}

int trace_read(struct trace *t, pid_t pid, struct trace_counts *ret, struct fault *f)
{
	uint32_t tgid = resolve_tgid(t, pid), ignored;
	struct trace_counts out = {};
	struct pmt_rss r = {};
	long page = sysconf(_SC_PAGESIZE);
	int err;

	err = tgid ? read_maps(t, tgid, &out.counts, &r) : -ESRCH;
	out.rss = rss_bytes(r.pages);
	if (!err && !out.counts.ended) {
		/* -ESRCH: it ends right now, and the maps have what was seen last. */
		err = tasks_visit(t, pid, &ignored);
		if (!err || err == -ESRCH)
			err = read_maps(t, tgid, &out.counts, &r);
	}
	if (err == -ESRCH)
		return fault_set(f, ESRCH, "process %d is not traced", pid);
	if (err)
		return fault_errno(f, -err, "cannot read what was counted for process %d", pid);
	out.rss_exact = rss_bytes(r.exact);
	out.rss_events = out.counts.last.events + r.events;
	out.rss_foreign = out.counts.last.foreign + r.foreign;
	out.rss_begin = out.counts.begin_pages * page;
	out.seen_growth = (int64_t)(out.counts.last.seen[0] + r.seen[0]) * page;
	out.seen_shrink = (int64_t)(out.counts.last.seen[1] + r.seen[1]) * page;
	out.ended = out.counts.ended;
	*ret = out;
	return 0;
}

static const char *const loss_texts[] = {
	[PMT_LOSS_RING] = "fork, exec and exit records dropped",
	[PMT_LOSS_TARGETS] = "child processes not followed, the table is full",
	[PMT_LOSS_RSS_MAP] = "processes without RSS, the table is full",
	[PMT_LOSS_NAMES] = "functions whose names were gone before they could be read",
	[PMT_LOSS_ARENAS] = "arenas whose opening did not fit",
};
_Static_assert(ARRAY_SIZE(loss_texts) == PMT_LOSS_KINDS, "a text for each loss");

const char *trace_loss_text(enum pmt_loss l)
{
	return loss_texts[l];
}

int sum_per_cpu(const struct bpf_map *map, uint64_t *ret, uint32_t nr)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ __u64 *each = NULL;

	if (cpus < 0)
		return cpus;
	each = calloc(cpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	for (__u32 kind = 0; kind < nr; kind++) {
		int err = bpf_map__lookup_elem(map, &kind, sizeof(kind), each, cpus * sizeof(*each),
					       0);

		if (err)
			return err;
		ret[kind] = 0;
		for (int i = 0; i < cpus; i++)
			ret[kind] += each[i];
	}
	return 0;
}

int trace_read_losses(struct trace *t, uint64_t ret[PMT_LOSS_KINDS])
{
	return sum_per_cpu(t->skel->maps.losses, ret, PMT_LOSS_KINDS);
}

/* A negative result ends ring_buffer__consume after this record, which counts as consumed. */
static int on_record(void *ctx, void *record, size_t size)
{
	struct trace *t = ctx;

	if (!t->next || size < sizeof(*t->next))
		return 0;
	memcpy(t->next, record, sizeof(*t->next));
	return -ECANCELED;
}

int ring_open(struct trace *t, struct fault *f)
{
	t->ring = ring_buffer__new(bpf_map__fd(t->skel->maps.events), on_record, t, NULL);
	if (!t->ring)
		return fault_errno(f, errno, "cannot open the BPF ring buffer");
	return 0;
}

void ring_close(struct trace *t)
{
	ring_buffer__free(t->ring);
	t->ring = NULL;
}

int trace_event_fd(const struct trace *t)
{
	return t->ring ? ring_buffer__epoll_fd(t->ring) : -1;
}

int trace_next(struct trace *t, struct trace_event *ret)
{
	struct pmt_rec r;
	int err;

	if (!t->ring)
		return 0;
	t->next = &r;
	err = ring_buffer__consume(t->ring);
	t->next = NULL;
	if (err != -ECANCELED)
		return err < 0 ? err : 0;
	if (r.ns_tgid)
		known_add(t, r.ns_tgid, r.tgid);
	if (r.type == PMT_REC_ENTRY || r.type == PMT_REC_EXIT)
		entry_stops_remove(t, r.tgid);
	*ret = (struct trace_event){
		.type = r.type,
		.pid = r.ns_tgid,
		.parent = r.ns_parent,
		.tgid = r.tgid,
		.status = r.status,
	};
	return 1;
}

int trace_stop_at(struct trace *t, pid_t pid, int file_fd, uint64_t offset, struct fault *f)
{
	struct probe_link link = PROBE_LINK_NONE;
	uint32_t tgid = resolve_tgid(t, pid);
	struct entry_stop *stops;
	struct pmt_target target;
	int err;

	if (!tgid || bpf_map__lookup_elem(t->skel->maps.targets, &tgid, sizeof(tgid), &target,
					  sizeof(target), 0))
		return fault_set(f, ESRCH, "process %d is not traced", pid);
	stops = reallocarray(t->stops, t->nr_stops + 1, sizeof(*stops));
	if (!stops)
		return fault_errno(f, ENOMEM, "cannot stop process %d", pid);
	t->stops = stops;
	err = probe_attach_uprobe(probe_find("on_entry"), t->skel->obj, t->multi, file_fd, offset,
				  "the program", &link, f);
	if (err)
		return err;
	target.flags |= PMT_STOP_ENTRY;
	err = bpf_map__update_elem(t->skel->maps.targets, &tgid, sizeof(tgid), &target,
				   sizeof(target), BPF_EXIST);
	if (err) {
		probe_detach(&link);
		return fault_errno(f, -err, "cannot stop process %d", pid);
	}
	t->stops[t->nr_stops++] = (struct entry_stop){.tgid = tgid, .link = link};
	return 0;
}

void entry_stops_remove(struct trace *t, uint32_t tgid)
{
	for (size_t i = 0; i < t->nr_stops;) {
		if (t->stops[i].tgid != tgid) {
			i++;
			continue;
		}
		probe_detach(&t->stops[i].link);
		t->stops[i] = t->stops[--t->nr_stops];
	}
}
