/* SPDX-License-Identifier: MIT */
/*
 * What is there, found by trying: each probe here does the thing once, in the small. No answer is
 * drawn from a version number, because distributions' kernels carry features back.
 */
#include "trace/features.h"
#include "trace/features_internal.h"

#include "base/cleanup.h"
#include "pymemtrace/abi_user.h"
#include "trace/libbpf_log.h"
#include "trace/uprobe_multi.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <string.h>
#include <linux/capability.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define BTF_PATH       "/sys/kernel/btf/vmlinux"
#define INITIAL_PID_NS 0xeffffffcu /* PROC_PID_INIT_INO, include/linux/proc_ns.h */

int feature_yes(char *detail, size_t size, const char *what)
{
	snprintf(detail, size, "%s", what);
	return 1;
}

int feature_no(char *detail, size_t size, const char *what, int err)
{
	snprintf(detail, size, "%s: %s", what, strerror(err < 0 ? -err : err));
	return 0;
}

static int probe_btf(char *detail, size_t size)
{
	if (access(BTF_PATH, R_OK) < 0)
		return feature_no(detail, size, BTF_PATH, errno);
	return feature_yes(detail, size, BTF_PATH);
}

/* CAP_SYS_ADMIN includes the first two, as it did before they were made of it in 5.8. */
static int probe_capability(int cap, bool admin_will_do, char *detail, size_t size)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {};

	if (syscall(SYS_capget, &header, data) < 0)
		return feature_no(detail, size, "capget", errno);
	if (data[cap / 32].effective & (1u << (cap % 32)))
		return feature_yes(detail, size, "effective");
	if (admin_will_do && data[0].effective & (1u << CAP_SYS_ADMIN))
		return feature_yes(detail, size, "by CAP_SYS_ADMIN");
	snprintf(detail, size, "not effective");
	return 0;
}

static int probe_cap_bpf(char *detail, size_t size)
{
	return probe_capability(CAP_BPF, true, detail, size);
}

static int probe_cap_perfmon(char *detail, size_t size)
{
	return probe_capability(CAP_PERFMON, true, detail, size);
}

static int probe_cap_sys_ptrace(char *detail, size_t size)
{
	return probe_capability(CAP_SYS_PTRACE, false, detail, size);
}

/* /proc/PID/mem is 0600, the user's own: CAP_SYS_PTRACE alone does not open it. */
static int probe_cap_dac_read_search(char *detail, size_t size)
{
	return probe_capability(CAP_DAC_READ_SEARCH, false, detail, size);
}

/* The smallest program of a type: return 0. */
int feature_load_program(enum bpf_prog_type type, enum bpf_attach_type attach, int btf_id)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach,
		    .attach_btf_id = btf_id);

	return bpf_prog_load(type, "pmt_feature", "Dual MIT/GPL", insns, ARRAY_SIZE(insns), &opts);
}

static int probe_bpf(char *detail, size_t size)
{
	_cleanup_fd_ int fd = feature_load_program(BPF_PROG_TYPE_KPROBE, 0, 0);

	if (fd < 0)
		return feature_no(detail, size, "loading a program", fd);
	return feature_yes(detail, size, "a program loads");
}

int feature_load_tracing(const char *name, enum bpf_attach_type attach)
{
	int id;

	libbpf_log_start();
	id = libbpf_find_vmlinux_btf_id(name, attach);
	return id < 0 ? id : feature_load_program(BPF_PROG_TYPE_TRACING, attach, id);
}

static int probe_rss_stat(char *detail, size_t size)
{
	return feature_tracepoint("rss_stat", detail, size);
}

/* Until 6.1 there is a struct mm_rss_stat, and threads keep back up to 64 pages of each kind. */
static int probe_rss_exact(char *detail, size_t size)
{
	struct btf *btf;
	int id;

	libbpf_log_start();
	btf = btf__load_vmlinux_btf();
	if (!btf)
		return feature_no(detail, size, BTF_PATH, errno);
	id = btf__find_by_name_kind(btf, "mm_rss_stat", BTF_KIND_STRUCT);
	btf__free(btf);
	if (id <= 0)
		return feature_yes(detail, size, "counted page by page");
	snprintf(detail, size, "each thread keeps back up to 64 pages of each kind");
	return 0;
}

static int probe_task_iter(char *detail, size_t size)
{
	_cleanup_fd_ int program = feature_load_tracing("task", BPF_TRACE_ITER);
	_cleanup_fd_ int link = -1;

	if (program < 0)
		return feature_no(detail, size, "loading a task iterator", program);
	link = bpf_link_create(program, 0, BPF_TRACE_ITER, NULL);
	if (link < 0)
		return feature_no(detail, size, "attaching a task iterator", link);
	return feature_yes(detail, size, "attaches");
}

static int probe_ringbuf(char *detail, size_t size)
{
	_cleanup_fd_ int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "pmt_feature", 0, 0,
					     sysconf(_SC_PAGESIZE), NULL);

	if (fd < 0)
		return feature_no(detail, size, "creating one", fd);
	return feature_yes(detail, size, "created one");
}

/* A walk of 127 frames takes loops that the verifier follows once. */
static int probe_stack_walk(char *detail, size_t size)
{
	int has = libbpf_probe_bpf_helper(BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_FUNC_loop, NULL);

	if (has < 0)
		return feature_no(detail, size, "trying bpf_loop", has);
	snprintf(detail, size, has ? "bpf_loop is there" : "no bpf_loop, which is in Linux 5.17");
	return has;
}

/* Something of our own to probe; never called, so that the probe never costs anything. */
static void __attribute__((noinline, used)) probe_here(void)
{
	__asm__ volatile("nop");
}

static int find_offset(struct dl_phdr_info *info, size_t size, void *ret)
{
	uint64_t address = (uintptr_t)probe_here - info->dlpi_addr;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_LOAD && address - p->p_vaddr < p->p_filesz) {
			*(uint64_t *)ret = address - p->p_vaddr + p->p_offset;
			return 1;
		}
	}
	return 1; /* the first object is the program itself */
}

/* A link, really made: Linux 6.1 loads the program and refuses the link. */
static int probe_uprobe_multi(char *detail, size_t size)
{
	_cleanup_fd_ int program = -1;
	_cleanup_fd_ int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	_cleanup_fd_ int link = -1;
	uint64_t offset = 0;

	program = feature_load_program(BPF_PROG_TYPE_KPROBE, UPROBE_MULTI_ATTACH_TYPE, 0);
	if (program < 0)
		return feature_no(detail, size, "loading a program for it", program);
	dl_iterate_phdr(find_offset, &offset);
	link = uprobe_multi_link(program, file, 0, &offset, NULL, 1);
	if (link < 0)
		return feature_no(detail, size, "making a link", link);
	return feature_yes(detail, size, "attaches");
}

static int probe_perf_uprobe(char *detail, size_t size)
{
	static const char type_path[] = "/sys/bus/event_source/devices/uprobe/type";
	struct perf_event_attr attr = {.size = sizeof(attr)};
	_cleanup_file_ FILE *f = fopen(type_path, "re");
	_cleanup_fd_ int fd = -1;
	uint64_t offset = 0;

	if (!f || fscanf(f, "%u", &attr.type) != 1)
		return feature_no(detail, size, type_path, f ? EINVAL : errno);
	dl_iterate_phdr(find_offset, &offset);
	attr.config1 = (uintptr_t) "/proc/self/exe";
	attr.config2 = offset;
	fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return feature_no(detail, size, "perf_event_open", errno);
	return feature_yes(detail, size, "attaches");
}

/* A child that waits to be read, and ends when the pipe does. */
static pid_t waiting_child(int *ret_pipe)
{
	int ends[2];
	pid_t pid;
	char c;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		_exit(read(ends[0], &c, 1) < 0);
	}
	close(ends[0]);
	if (pid < 0)
		close(ends[1]);
	*ret_pipe = ends[1];
	return pid < 0 ? -errno : pid;
}

static int probe_mem(char *detail, size_t size)
{
	static const uint64_t token = 0x706d742d6d656d21;
	_cleanup_fd_ int fd = -1;
	uint64_t seen = 0;
	char path[32];
	pid_t pid;
	int hold = -1, err;

	pid = waiting_child(&hold);
	if (pid < 0)
		return feature_no(detail, size, "fork", pid);
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	err = fd < 0 || pread(fd, &seen, sizeof(seen), (uintptr_t)&token) < 0 ? errno : 0;
	close(hold);
	waitpid(pid, NULL, 0);
	if (err || seen != token)
		return feature_no(detail, size, "reading a child's memory", err ? err : EIO);
	return feature_yes(detail, size, "read a child's memory");
}

/* struct pm_scan_arg and PAGEMAP_SCAN, include/uapi/linux/fs.h since 6.7. */
struct pagemap_scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t inverted, mask, anyof_mask, return_mask;
};
#define PAGEMAP_SCAN_ _IOWR('f', 16, struct pagemap_scan)

static int probe_pagemap_scan(char *detail, size_t size)
{
	_cleanup_fd_ int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t page = sysconf(_SC_PAGESIZE), start = (uintptr_t)&page & ~(page - 1);
	struct {
		uint64_t start, end, categories;
	} region;
	struct pagemap_scan arg = {
		.size = sizeof(arg),
		.start = start,
		.end = start + page,
		.vec = (uintptr_t)&region,
		.vec_len = 1,
		.mask = 1 << 3, /* PAGE_IS_PRESENT */
		.return_mask = 1 << 3,
	};

	if (fd < 0)
		return feature_no(detail, size, "/proc/self/pagemap", errno);
	if (ioctl(fd, PAGEMAP_SCAN_, &arg) != 1)
		return feature_no(detail, size, "ioctl", errno);
	return feature_yes(detail, size, "scanned a page of our own");
}

static int probe_map_files(char *detail, size_t size)
{
	_cleanup_dir_ DIR *dir = opendir("/proc/self/map_files");
	struct dirent *e;
	int fd, err = ENOENT;

	if (!dir)
		return feature_no(detail, size, "/proc/self/map_files", errno);
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		fd = openat(dirfd(dir), e->d_name, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			close(fd);
			return feature_yes(detail, size, "opened a file of our own");
		}
		err = errno;
		break;
	}
	return feature_no(detail, size, "opening an entry", err);
}

static int probe_pid_namespace(char *detail, size_t size)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) < 0)
		return feature_no(detail, size, "/proc/self/ns/pid", errno);
	if (st.st_ino == INITIAL_PID_NS)
		return feature_yes(detail, size, "the initial one");
	snprintf(detail, size, "a container's own: only its processes are seen");
	return 0;
}

/* clang-format off */
const struct feature_row features[FEATURE_COUNT] = {
	[FEATURE_BTF] = {"btf", "types of this kernel, for all BPF programs",
		"stat cannot run", true, probe_btf},
	[FEATURE_CAP_BPF] = {"cap_bpf", "the right to load BPF programs",
		"stat cannot run", true, probe_cap_bpf},
	[FEATURE_CAP_PERFMON] = {"cap_perfmon", "the right to trace with them",
		"stat cannot run", true, probe_cap_perfmon},
	[FEATURE_CAP_SYS_PTRACE] = {"cap_sys_ptrace", "the right to read other users' processes",
		"only processes of this user", true, probe_cap_sys_ptrace},
	[FEATURE_CAP_DAC_READ_SEARCH] = {"cap_dac_read_search",
		"the right to open other users' files, their memory among them",
		"only processes of this user", true, probe_cap_dac_read_search},
	[FEATURE_BPF] = {"bpf", "programs in the kernel",
		"stat cannot run", true, probe_bpf},
	[FEATURE_RSS_STAT] = {"rss_stat", "every change of RSS as it happens",
		"RSS only as of each report", true, probe_rss_stat},
	[FEATURE_RSS_EXACT] = {"rss_exact", "RSS to the page",
		"RSS in steps of 64 pages per thread and kind", false, probe_rss_exact},
	[FEATURE_TASK_ITER] = {"task_iter", "RSS from the first moment; PIDs in containers",
		"stat cannot run", true, probe_task_iter},
	[FEATURE_RINGBUF] = {"ringbuf", "fork, exec and exit as they happen",
		"no --children, no -- PROGRAM", true, probe_ringbuf},
	[FEATURE_STACK_WALK] = {"stack_walk", "the Python stacks that made memory grow",
		"no record; stat names no functions", true, probe_stack_walk},
	[FEATURE_FAULTS] = {"faults", "page faults as they happen",
		"no record --event fault", false, feature_faults},
	[FEATURE_SYSCALLS] = {"syscalls", "system calls that change the address space",
		"no record --event mmap,munmap,mremap,brk,madvise", false, feature_syscalls},
	[FEATURE_RECLAIM] = {"reclaim", "processes that wait for memory",
		"no record --event pressure", false, feature_reclaim},
	[FEATURE_OOM] = {"oom", "processes that are killed for want of memory",
		"no record --event oom", false, feature_oom},
	[FEATURE_UPROBE_MULTI] = {"uprobe_multi", "probes attached in milliseconds",
		"perf uprobes: slower to detach, and they need CAP_SYS_ADMIN", false,
		probe_uprobe_multi},
	[FEATURE_PERF_UPROBE] = {"perf_uprobe", "probes where uprobe_multi is missing",
		"nothing where uprobe_multi is there", false, probe_perf_uprobe},
	[FEATURE_MEM] = {"mem", "the memory of other processes",
		"no allocator state", true, probe_mem},
	[FEATURE_PAGEMAP_SCAN] = {"pagemap_scan", "resident pages found quickly",
		"/proc/PID/pagemap is read instead", false, probe_pagemap_scan},
	[FEATURE_MAP_FILES] = {"map_files", "files of containers, also deleted ones",
		"/proc/PID/root is used instead; deleted files are not found", false,
		probe_map_files},
	[FEATURE_PID_NAMESPACE] = {"pid_namespace", "all processes of the machine",
		"only processes of this container", false, probe_pid_namespace},
};
/* clang-format on */

bool feature_masked(const char *name)
{
	const char *s = getenv("PYMEMTRACE_WITHOUT");
	size_t n;

	for (; s && *s; s += n + (s[n] == ',')) {
		n = strcspn(s, ",");
		if (n == strlen(name) && !memcmp(s, name, n))
			return true;
	}
	return false;
}

int feature_has(enum feature which, const char **ret_detail)
{
	static struct {
		bool known;
		int has;
		char detail[128];
	} cache[FEATURE_COUNT];

	if (!cache[which].known) {
		if (feature_masked(features[which].name))
			snprintf(cache[which].detail, sizeof(cache[which].detail),
				 "masked by PYMEMTRACE_WITHOUT");
		else
			cache[which].has = features[which].probe(cache[which].detail,
								 sizeof(cache[which].detail));
		cache[which].known = true;
	}
	if (ret_detail)
		*ret_detail = cache[which].detail;
	return cache[which].has;
}
