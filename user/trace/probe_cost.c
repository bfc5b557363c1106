/* SPDX-License-Identifier: MIT */
/*
 * Tries out what this kernel does with a probe, by running one of our own: an instruction in a file
 * that only we have, mapped and called by a thread of ours. What a hit costs depends on the
 * instruction, for the kernel emulates some and single-steps the others.
 */
#include "trace/calls.h"
#include "trace/session.h"
#include "trace/uprobe_multi.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "pymemtrace.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define RUNS   400
#define ROUNDS 5

/*
 * A function that begins with the instruction and comes back whatever it does: branches go to what
 * follows them. What works on registers or memory that only its own program has is stood in for by
 * `mov %rax,%rax`, which is single-stepped as they are.
 */
static void make_stub(const uint8_t *insn, size_t length, uint8_t stub[STUB_BYTES])
{
	static const uint8_t stepped[] = {0x48, 0x89, 0xc0, 0xc3};
	const uint8_t op = length ? insn[0] : 0;

	memset(stub, 0xc3, STUB_BYTES);		       /* ret */
	if (length == 1 && op >= 0x50 && op <= 0x57) { /* push; pop */
		stub[0] = op;
		stub[1] = op + 8;
	} else if (length == 2 && op == 0x41 && insn[1] >= 0x50 && insn[1] <= 0x57) {
		stub[0] = stub[2] = op;
		stub[1] = insn[1];
		stub[3] = insn[1] + 8;
	} else if (length == 5 && op == 0xe8) { /* call of the ret behind the next */
		memcpy(stub, (const uint8_t[]){op, 1, 0, 0, 0}, 5);
	} else if (length == 5 && op == 0xe9) {
		memcpy(stub, (const uint8_t[]){op, 0, 0, 0, 0}, 5);
	} else if (length == 2 && (op == 0xeb || (op >= 0x70 && op <= 0x7f))) {
		/* the condition makes no difference */
		memcpy(stub, (const uint8_t[]){op == 0xeb ? op : 0x74, 0}, 2);
	} else if (length == 6 && op == 0x0f && insn[1] >= 0x80 && insn[1] <= 0x8f) {
		memcpy(stub, (const uint8_t[]){op, 0x84, 0, 0, 0, 0}, 6);
	} else if (length && length < STUB_BYTES &&
		   (op == 0x90 || (op == 0x0f && length > 1 && insn[1] == 0x1f))) {
		memcpy(stub, insn, length);
	} else {
		memcpy(stub, stepped, sizeof(stepped));
	}
}

struct stub {
	int fd;
	void *code;
	int64_t best_ns; /* of RUNS calls */
};

static void stub_done(struct stub *s)
{
	if (s->code && s->code != MAP_FAILED)
		munmap(s->code, STUB_BYTES);
	if (s->fd >= 0)
		close(s->fd);
}

static int stub_open(struct stub *s, const uint8_t bytes[STUB_BYTES])
{
	s->fd = memfd_create("pymemtrace-probe", MFD_CLOEXEC);
	if (s->fd < 0 || write(s->fd, bytes, STUB_BYTES) != STUB_BYTES)
		return -errno;
	s->code = mmap(NULL, STUB_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE, s->fd, 0);
	return s->code == MAP_FAILED ? -errno : 0;
}

static void *run_stub(void *arg)
{
	struct stub *s = arg;
	void (*code)(void);

	memcpy(&code, &s->code, sizeof(code));
	s->best_ns = INT64_MAX;
	for (int round = 0; round < ROUNDS; round++) {
		int64_t began = clock_monotonic_ns();

		for (int i = 0; i < RUNS; i++)
			code();
		s->best_ns = min(s->best_ns, clock_monotonic_ns() - began);
	}
	return NULL;
}

/* In a thread of its own: the filter by process must let all threads pass. */
static int run_in_thread(struct stub *s)
{
	pthread_t thread;
	int err = pthread_create(&thread, NULL, run_stub, s);

	if (!err)
		pthread_join(thread, NULL);
	return -err;
}

/* We are a target whose hits are counted and no more. */
static int watch_self(struct trace *t, uint32_t *ret_tgid)
{
	struct pmt_walk *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->calls.on = PMT_CALLS_COUNT;
	*ret_tgid = resolve_tgid(t, getpid());
	err = *ret_tgid ? bpf_map__update_elem(t->skel->maps.walks, ret_tgid, sizeof(*ret_tgid), w,
					       sizeof(*w), BPF_ANY)
			: -ESRCH;
	free(w);
	return err;
}

static int attach(struct trace *t, const struct stub *s, pid_t pid, struct bpf_link **perf)
{
	uint64_t offset = 0, cookie = PMT_SITE_RESUME;
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .bpf_cookie = cookie);
	char path[32];

	if (t->multi)
		return uprobe_multi_link(bpf_program__fd(t->skel->progs.on_call_site), s->fd, pid,
					 &offset, &cookie, 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->fd);
	*perf = bpf_program__attach_uprobe_opts(t->skel->progs.on_call_site, pid ? pid : -1, path,
						0, &opts);
	return *perf ? -1 : -errno;
}

/* ns a hit, above what the instruction costs without a probe; and how many hits were counted. */
static int measure(struct trace *t, const uint8_t stub[STUB_BYTES], bool by_pid, uint64_t *ret_ns,
		   uint64_t *ret_hits)
{
	_cleanup_(stub_done) struct stub s = {.fd = -1};
	uint64_t before[PMT_CALL_COUNTS], after[PMT_CALL_COUNTS];
	struct bpf_link *perf = NULL;
	uint32_t tgid = 0;
	int64_t bare;
	int fd, err;

	err = stub_open(&s, stub);
	if (!err)
		err = run_in_thread(&s);
	bare = s.best_ns;
	if (!err)
		err = watch_self(t, &tgid);
	if (!err)
		err = trace_read_call_counts(t, before);
	if (err)
		return err;
	fd = attach(t, &s, by_pid ? getpid() : 0, &perf);
	err = fd < -1 ? fd : run_in_thread(&s);
	if (!err)
		err = trace_read_call_counts(t, after);
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(perf);
	bpf_map__delete_elem(t->skel->maps.walks, &tgid, sizeof(tgid), 0);
	if (err)
		return err;
	*ret_hits = after[PMT_HITS_ENTRY] - before[PMT_HITS_ENTRY];
	t->calls->own_hits += *ret_hits;
	*ret_ns = s.best_ns > bare ? (uint64_t)(s.best_ns - bare) / RUNS : 0;
	return 0;
}

bool probe_filters_by_pid(struct trace *t)
{
	static const uint8_t nop = 0x90;
	uint8_t stub[STUB_BYTES];
	uint64_t ns, hits;

	make_stub(&nop, sizeof(nop), stub);
	return !measure(t, stub, true, &ns, &hits) && hits == (uint64_t)RUNS * ROUNDS;
}

int trace_probe_cost(struct trace *t, const uint8_t *insn, size_t length, uint64_t *ret_ns,
		     struct fault *f)
{
	struct call_probes *p = t->calls;
	struct probe_cost *cost;
	uint8_t stub[STUB_BYTES];
	uint64_t hits;
	int err;

	make_stub(insn, length, stub);
	for (size_t i = 0; p && i < p->nr_costs; i++)
		if (!memcmp(p->costs[i].stub, stub, sizeof(stub))) {
			*ret_ns = p->costs[i].ns;
			return 0;
		}
	err = p ? measure(t, stub, false, ret_ns, &hits) : -EINVAL;
	if (err)
		return fault_errno(f, -err, "cannot measure what a probe costs here");
	if (hits != (uint64_t)RUNS * ROUNDS)
		return fault_set(f, ENXIO, "%llu of %d hits of a probe were counted",
				 (unsigned long long)hits, RUNS * ROUNDS);
	if (p->nr_costs < ARRAY_SIZE(p->costs)) {
		cost = &p->costs[p->nr_costs++];
		memcpy(cost->stub, stub, sizeof(stub));
		cost->ns = *ret_ns;
	}
	return 0;
}
