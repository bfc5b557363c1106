/* SPDX-License-Identifier: MIT */
/*
 * Tries out what this kernel does with a probe, by running one in ourselves: a function of our own that
 * begins with an instruction like it, called by a thread of ours. What a hit costs depends on the
 * instruction, for the kernel emulates some and single-steps the others.
 *
 * In our own file and not in one made for it: the kernel knows a probe by its inode and offset for a
 * while after it has gone, and an inode that is gone may be another's by then.
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
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define RUNS	100
#define TRIALS	4
#define DEAR_NS 2000
#define ROUNDS	20 /* the best counts: others may be on this CPU */

/*
 * Each begins with its instruction, and comes back whatever that does: branches lead to what follows
 * them. Of jcc the condition makes no difference.
 */
__asm__(".text\n"
	".type stub_nop, @function\n"
	"stub_nop: nop\n ret\n"
	".type stub_long_nop, @function\n"
	"stub_long_nop: .byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n ret\n"
	".type stub_push, @function\n"
	"stub_push: push %rbx\n pop %rbx\n ret\n"
	".type stub_long_push, @function\n"
	"stub_long_push: push %r12\n pop %r12\n ret\n"
	".type stub_call, @function\n"
	"stub_call: call 1f\n ret\n 1: ret\n"
	".type stub_jmp, @function\n"
	"stub_jmp: .byte 0xe9, 0, 0, 0, 0\n ret\n"
	".type stub_short_jmp, @function\n"
	"stub_short_jmp: .byte 0xeb, 0\n ret\n"
	".type stub_jcc, @function\n"
	"stub_jcc: .byte 0x0f, 0x84, 0, 0, 0, 0\n ret\n"
	".type stub_short_jcc, @function\n"
	"stub_short_jcc: .byte 0x74, 0\n ret\n"
	".type stub_mov, @function\n"
	"stub_mov: mov %rax, %rax\n ret\n");

void stub_nop(void);
void stub_long_nop(void);
void stub_push(void);
void stub_long_push(void);
void stub_call(void);
void stub_jmp(void);
void stub_short_jmp(void);
void stub_jcc(void);
void stub_short_jcc(void);
void stub_mov(void);

/* In the order of enum stub_kind. */
static void (*const stubs[])(void) = {
	stub_nop, stub_long_nop,  stub_push, stub_long_push, stub_call,
	stub_jmp, stub_short_jmp, stub_jcc,  stub_short_jcc, stub_mov,
};
_Static_assert(ARRAY_SIZE(stubs) == NR_STUBS, "one of each kind");

/*
 * What works on registers or memory that only its own program has is stood in for by a mov, which is
 * single-stepped as it is.
 */
static enum stub_kind stub_of(const uint8_t *insn, size_t length)
{
	const uint8_t op = length ? insn[0] : 0, op2 = length > 1 ? insn[1] : 0;

	if (length == 1)
		return op == 0x90 ? STUB_NOP : op >= 0x50 && op <= 0x57 ? STUB_PUSH : STUB_MOV;
	if (length == 2 && op == 0x41 && op2 >= 0x50 && op2 <= 0x57)
		return STUB_LONG_PUSH;
	if (length == 2 && op == 0xeb)
		return STUB_SHORT_JMP;
	if (length == 2 && op >= 0x70 && op <= 0x7f)
		return STUB_SHORT_JCC;
	if (length == 5 && op == 0xe8)
		return STUB_CALL;
	if (length == 5 && op == 0xe9)
		return STUB_JMP;
	if (length == 6 && op == 0x0f && op2 >= 0x80 && op2 <= 0x8f)
		return STUB_JCC;
	if (op == 0x0f && op2 == 0x1f)
		return STUB_LONG_NOP;
	return STUB_MOV;
}

struct place {
	uint64_t address, offset; /* offset in our own file */
};

static int find_offset(struct dl_phdr_info *info, size_t size, void *data)
{
	struct place *place = data;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uint64_t start = info->dlpi_addr + p->p_vaddr;

		if (p->p_type != PT_LOAD || place->address < start ||
		    place->address >= start + p->p_filesz)
			continue;
		place->offset = place->address - start + p->p_offset;
		return 1;
	}
	return 0;
}

struct stub {
	void (*code)(void);
	int fd; /* of the file it is in */
	uint64_t offset;
	int64_t best_ns; /* of RUNS calls */
};

static void stub_done(struct stub *s)
{
	if (s->fd >= 0)
		close(s->fd);
}

static int stub_open(struct stub *s, enum stub_kind kind)
{
	struct place place = {.address = (uintptr_t)stubs[kind]};

	s->code = stubs[kind];
	s->fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (s->fd < 0)
		return -errno;
	if (!dl_iterate_phdr(find_offset, &place))
		return -ENOENT;
	s->offset = place.offset;
	return 0;
}

static void *run_stub(void *arg)
{
	struct stub *s = arg;

	s->best_ns = INT64_MAX;
	for (int round = 0; round < ROUNDS; round++) {
		int64_t began = clock_monotonic_ns();

		for (int i = 0; i < RUNS; i++)
			s->code();
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
	uint64_t cookie = PMT_SITE_RESUME;
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .bpf_cookie = cookie);
	char path[32];

	if (t->multi)
		return uprobe_multi_link(bpf_program__fd(t->skel->progs.on_call_site), s->fd, pid,
					 &s->offset, &cookie, 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->fd);
	*perf = bpf_program__attach_uprobe_opts(t->skel->progs.on_call_site, pid ? pid : -1, path,
						s->offset, &opts);
	return *perf ? -1 : -errno;
}

/* ns a hit, above what the instruction costs without a probe; and how many hits were counted. */
static int measure(struct trace *t, enum stub_kind kind, bool by_pid, uint64_t *ret_ns,
		   uint64_t *ret_hits)
{
	_cleanup_(stub_done) struct stub s = {.fd = -1};
	uint64_t before[PMT_CALL_COUNTS], after[PMT_CALL_COUNTS];
	struct bpf_link *perf = NULL;
	uint32_t tgid = 0;
	int64_t bare;
	int fd, err;

	err = stub_open(&s, kind);
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
	uint64_t ns, hits;

	return !measure(t, STUB_NOP, true, &ns, &hits) && hits == (uint64_t)RUNS * ROUNDS;
}

int trace_probe_cost(struct trace *t, const uint8_t *insn, size_t length, uint64_t *ret_ns,
		     struct fault *f)
{
	enum stub_kind kind = stub_of(insn, length);
	struct call_probes *p = t->calls;
	uint64_t hits;
	int err;

	if (p && p->cost_ns[kind]) {
		*ret_ns = p->cost_ns[kind];
		return 0;
	}
	/* others that try out theirs hit the same code: where the filter works, it keeps them out */
	err = p ? -EAGAIN : -EINVAL;
	for (int i = 0; err == -EAGAIN && i < TRIALS; i++) {
		err = measure(t, kind, p->by_pid, ret_ns, &hits);
		/* that it is dear must not be said because the machine was busy */
		if (!err && *ret_ns > DEAR_NS && kind != STUB_MOV && i + 1 < TRIALS)
			err = -EAGAIN;
	}
	if (err)
		return fault_errno(f, -err, "cannot measure what a probe costs here");
	if (hits != (uint64_t)RUNS * ROUNDS)
		return fault_set(f, ENXIO, "%llu of %d hits of a probe were counted",
				 (unsigned long long)hits, RUNS * ROUNDS);
	p->cost_ns[kind] = *ret_ns;
	return 0;
}
