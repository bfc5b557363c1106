/* SPDX-License-Identifier: MIT */
/*
 * What a uprobe hit costs here, without any work in the program: ns a call for a function that begins
 * with an instruction the kernel emulates (push), and for one that it must single-step (sub).
 * Prints "push 712.3" and "sub 10911.0", bare calls subtracted, the least of several rounds; and
 * "empty 45.0": the run time that the kernel's statistics find for a program that does nothing, and
 * above that what one thing costs that programs at a probe do over and over: "read 20.1" of the
 * process's memory, "lookup 25.3" in a hash map, "clock 30.0".
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS	     7
#define UPROBE_MULTI 48 /* BPF_TRACE_UPROBE_MULTI, since 6.6; older headers lack it */

/* The first instructions of allocate_from_new_pool and of _PyMem_ArenaAlloc as usually built. */
__asm__(".text\n"
	".globl begins_with_push, begins_with_sub\n"
	".type begins_with_push, @function\n"
	".type begins_with_sub, @function\n"
	"begins_with_push: push %rbp\n pop %rbp\n ret\n"
	"begins_with_sub: sub $8, %rsp\n add $8, %rsp\n ret\n");

void begins_with_push(void);
void begins_with_sub(void);

static int find_offset(struct dl_phdr_info *info, size_t size, void *data)
{
	uint64_t *address = data;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uint64_t start = info->dlpi_addr + p->p_vaddr;

		if (p->p_type != PT_LOAD || *address < start || *address >= start + p->p_filesz)
			continue;
		*address = *address - start + p->p_offset;
		return 1;
	}
	return 0;
}

static uint64_t file_offset(void (*f)(void))
{
	uint64_t at = (uintptr_t)f;

	if (!dl_iterate_phdr(find_offset, &at))
		exit(1);
	return at;
}

/* A BPF program as it is made. */
struct code {
	struct bpf_insn insns[256];
	int nr;
};

static void emit(struct code *c, __u8 code, int dst, int src, int off, __s32 imm)
{
	c->insns[c->nr++] = (struct bpf_insn){
		.code = code,
		.dst_reg = dst,
		.src_reg = src,
		.off = off,
		.imm = imm,
	};
}

static void emit_word(struct code *c, int dst, int src, uint64_t word)
{
	emit(c, BPF_LD | BPF_DW | BPF_IMM, dst, src, 0, word);
	emit(c, 0, 0, 0, 0, word >> 32);
}

/* dst = address of the word of the stack that is set to 0. */
static void emit_stack(struct code *c, int dst)
{
	emit(c, BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, -8, 0);
	emit(c, BPF_ALU64 | BPF_MOV | BPF_X, dst, BPF_REG_10, 0, 0);
	emit(c, BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, -8);
}

static void emit_read(struct code *c)
{
	static const uint64_t word = 1;

	emit_stack(c, BPF_REG_1);
	emit(c, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, sizeof(word));
	emit_word(c, BPF_REG_3, 0, (uintptr_t)&word);
	emit(c, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_probe_read_user);
}

static void emit_lookup(struct code *c)
{
	static int map = -1;
	uint64_t key = 0, value = 0;

	if (map < 0) {
		map = bpf_map_create(BPF_MAP_TYPE_HASH, "lookup", sizeof(key), sizeof(value), 1024,
				     NULL);
		bpf_map_update_elem(map, &key, &value, BPF_ANY);
	}
	emit_word(c, BPF_REG_1, BPF_PSEUDO_MAP_FD, map);
	emit_stack(c, BPF_REG_2);
	emit(c, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem);
}

static void emit_clock(struct code *c)
{
	emit(c, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ktime_get_ns);
}

static int program_fd; /* the newest program */

/* What a program does so many times; NULL: nothing. */
static void (*step)(struct code *c);
#define STEPS 10

static int make_program(int attach_type)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach_type);
	struct code c = {};

	for (int i = 0; step && i < STEPS; i++)
		step(&c);
	emit(&c, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0);
	emit(&c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	program_fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "measured", "GPL", c.insns, c.nr, &opts);
	return program_fd;
}

/* BPF_LINK_CREATE with the layout of 6.6, which libbpf before 1.3 does not know. */
static int attach_multi(uint64_t offset)
{
	struct {
		uint32_t prog_fd, target_fd, attach_type, flags;
		uint64_t path, offsets, ref_ctr_offsets, cookies;
		uint32_t cnt, multi_flags, pid, pad;
	} attr = {
		.attach_type = UPROBE_MULTI,
		.path = (uintptr_t) "/proc/self/exe",
		.offsets = (uintptr_t)&offset,
		.cnt = 1,
	};
	int program = make_program(UPROBE_MULTI);

	if (program < 0)
		return -1;
	attr.prog_fd = program;
	return syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
}

static int attach_perf(uint64_t offset)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.config1 = (uintptr_t) "/proc/self/exe",
		.config2 = offset,
	};
	FILE *f = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	int program = make_program(0), fd;

	if (!f || fscanf(f, "%u", &attr.type) != 1 || program < 0)
		return -1;
	fclose(f);
	fd = syscall(SYS_perf_event_open, &attr, getpid(), -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0 || ioctl(fd, PERF_EVENT_IOC_SET_BPF, program))
		return -1;
	return ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) ? -1 : fd;
}

/* CPU time, ns a call, of the quietest round. */
static double cost(void (*f)(void), int calls)
{
	double least = 1e9;

	for (int round = 0; round < ROUNDS; round++) {
		struct timespec a, b;
		double ns;

		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
		for (int i = 0; i < calls; i++)
			f();
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
		ns = ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / calls;
		least = ns < least ? ns : least;
	}
	return least;
}

/* Run time of the newest program by kernel.bpf_stats_enabled, ns a run, of the quietest round. */
static double run_time(const char *what)
{
	double least = 1e9;

	for (int round = 0; round < ROUNDS; round++) {
		struct bpf_prog_info before = {}, after = {};
		__u32 size = sizeof(before);
		double ns;

		if (bpf_obj_get_info_by_fd(program_fd, &before, &size))
			break;
		cost(begins_with_push, 3000);
		size = sizeof(after);
		if (bpf_obj_get_info_by_fd(program_fd, &after, &size) ||
		    after.run_cnt == before.run_cnt)
			break;
		ns = (double)(after.run_time_ns - before.run_time_ns) /
		     (after.run_cnt - before.run_cnt);
		least = ns < least ? ns : least;
	}
	if (least < 1e9)
		return least;
	fprintf(stderr, "trapcost: no statistics of %s\n", what);
	exit(1);
}

/* empty: what the statistics find for nothing, their own two clock reads. */
static double measure_step(const char *name, void (*what)(struct code *c), double empty)
{
	int fd;
	double ns;

	step = what;
	fd = attach_multi(file_offset(begins_with_push));
	if (fd < 0)
		fd = attach_perf(file_offset(begins_with_push));
	if (fd < 0) {
		fprintf(stderr, "trapcost: %s: %s\n", name, strerror(errno));
		exit(1);
	}
	ns = run_time(name);
	printf("%s %.1f\n", name, what ? (ns - empty) / STEPS : ns);
	close(fd);
	close(program_fd);
	step = NULL;
	return ns;
}

static void measure_statistics(void)
{
	int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	double empty;

	if (stats < 0) {
		fprintf(stderr, "trapcost: statistics: %s\n", strerror(errno));
		exit(1);
	}
	empty = measure_step("empty", NULL, 0);
	measure_step("read", emit_read, empty);
	measure_step("lookup", emit_lookup, empty);
	measure_step("clock", emit_clock, empty);
	close(stats);
}

static void measure(const char *name, void (*f)(void), int calls)
{
	double bare = cost(f, calls);
	int fd = attach_multi(file_offset(f));

	if (fd < 0)
		fd = attach_perf(file_offset(f));
	if (fd < 0) {
		fprintf(stderr, "trapcost: %s: %s\n", name, strerror(errno));
		exit(1);
	}
	printf("%s %.1f\n", name, cost(f, calls) - bare);
	close(fd);
}

int main(void)
{
	measure("push", begins_with_push, 100000);
	measure("sub", begins_with_sub, 20000);
	measure_statistics();
	return 0;
}
