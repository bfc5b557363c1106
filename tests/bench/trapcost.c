/* SPDX-License-Identifier: MIT */
/*
 * What a uprobe hit costs here, without any work in the program: ns a call for a function that begins
 * with an instruction the kernel emulates (push), and for one that it must single-step (sub).
 * Prints "push 712.3" and "sub 10911.0", bare calls subtracted, the least of several rounds; and
 * "empty 45.0": the run time that the kernel's statistics find for a program that does nothing.
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

static int empty_fd; /* the newest empty program */

static int empty_program(int attach_type)
{
	struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach_type);

	empty_fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "empty", "GPL", insns, 2, &opts);
	return empty_fd;
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
	int program = empty_program(UPROBE_MULTI);

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
	int program = empty_program(0), fd;

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

/* What kernel.bpf_stats_enabled finds for a program that does nothing: its own two clock reads. */
static void measure_statistics(void)
{
	int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	int fd = attach_multi(file_offset(begins_with_push));
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (fd < 0)
		fd = attach_perf(file_offset(begins_with_push));
	if (stats < 0 || fd < 0) {
		fprintf(stderr, "trapcost: statistics: %s\n", strerror(errno));
		exit(1);
	}
	cost(begins_with_push, 20000);
	if (bpf_obj_get_info_by_fd(empty_fd, &info, &size) || !info.run_cnt) {
		fprintf(stderr, "trapcost: no statistics of the empty program\n");
		exit(1);
	}
	printf("empty %.1f\n", (double)info.run_time_ns / info.run_cnt);
	close(fd);
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
