/* SPDX-License-Identifier: MIT */
#include "bpf_test.h"

#include "base/cleanup.h"
#include "pymemtrace/abi_user.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

/*
 * What is bound to come may take long where the kernel is emulated and the machine has other things to do:
 * a grace period of RCU most of all.
 */
#define PATIENCE_S 60

static struct child start(int (*run)(int, int), const char *path, char *const argv[])
{
	struct child c;
	int to[2], from[2];

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	c.pid = fork();
	assert_true(c.pid >= 0);
	if (c.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Not the other children's pipes, and nothing of the session. */
		for (int fd = 3; fd < 256; fd++)
			if (fd != to[0] && fd != from[1])
				close(fd);
		if (run)
			_exit(run(to[0], from[1]));
		dup2(to[0], 0);
		dup2(from[1], 1);
		execv(path, argv);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	c.to = to[1];
	c.from = from[0];
	return c;
}

struct child child_start(int (*run)(int in, int out))
{
	return start(run, NULL, NULL);
}

struct child child_exec(const char *path, char *const argv[])
{
	return start(NULL, path, argv);
}

void child_write(const struct child *c, const void *data, size_t size)
{
	assert_int_equal(write(c->to, data, size), size);
}

void child_read(const struct child *c, void *data, size_t size)
{
	size_t have = 0;

	while (have < size) {
		ssize_t n = read(c->from, (char *)data + have, size - have);

		assert_true(n > 0);
		have += n;
	}
}

void child_command(const struct child *c, char command)
{
	child_write(c, &command, 1);
}

void child_wait_stopped(const struct child *c)
{
	int status;

	assert_int_equal(waitpid(c->pid, &status, WUNTRACED), c->pid);
	assert_true(WIFSTOPPED(status));
}

void child_continue(const struct child *c)
{
	assert_int_equal(kill(c->pid, SIGCONT), 0);
}

int child_end(struct child *c)
{
	int status;

	close(c->to);
	kill(c->pid, SIGCONT);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	close(c->from);
	return status;
}

void child_kill(struct child *c)
{
	kill(c->pid, SIGKILL);
	child_end(c);
}

/* "RssAnon:\t    1234 kB" */
struct rss rss_of(pid_t pid)
{
	_cleanup_file_ FILE *f = NULL;
	char path[64], line[256];
	struct rss r = {};
	long kb;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "RssAnon: %ld", &kb) == 1)
			r.anon = kb * 1024;
		else if (sscanf(line, "RssFile: %ld", &kb) == 1)
			r.file = kb * 1024;
		else if (sscanf(line, "RssShmem: %ld", &kb) == 1)
			r.shmem = kb * 1024;
		else if (sscanf(line, "VmSwap: %ld", &kb) == 1)
			r.swap = kb * 1024;
	}
	return r;
}

struct trace_counts assert_rss_exact(struct trace *t, pid_t pid)
{
	struct rss truth = rss_of(pid);
	struct fault f = {};
	struct trace_counts c;

	assert_no_fault(trace_read(t, pid, &c, &f), f);
	assert_int_equal(c.rss_exact.anon, truth.anon);
	assert_int_equal(c.rss_exact.file, truth.file);
	assert_int_equal(c.rss_exact.shmem, truth.shmem);
	assert_int_equal(c.rss_exact.swap, truth.swap);
	assert_int_equal(c.rss.anon, truth.anon);
	assert_int_equal(c.rss.file, truth.file);
	assert_int_equal(c.rss.shmem, truth.shmem);
	assert_int_equal(c.rss.swap, truth.swap);
	return c;
}

/* The BPF objects that this process holds, by /proc/self/fdinfo: "link_id:\t12". */
static struct bpf_id {
	char kind[8];
	unsigned id;
} ids[256];
static size_t nr_ids, nr_ids_before; /* the latter: what a failed test has left open */

static size_t collect_ids(struct bpf_id *ret, size_t size)
{
	_cleanup_dir_ DIR *dir = opendir("/proc/self/fdinfo");
	struct dirent *e;
	size_t n = 0;

	assert_non_null(dir);
	while ((e = readdir(dir))) {
		char path[300], line[256];
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", e->d_name);
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f) && n < size)
			if (sscanf(line, "%7[a-z]_id: %u", ret[n].kind, &ret[n].id) == 2 &&
			    strcmp(ret[n].kind, "mnt"))
				n++;
		if (f)
			fclose(f);
	}
	return n;
}

/* Opens none: a prog_array that is opened while the kernel empties it stays (tests/live/livelib.py). */
static bool exists(const struct bpf_id *id)
{
	int (*next_id)(__u32, __u32 *) = !strcmp(id->kind, "link")   ? bpf_link_get_next_id
					 : !strcmp(id->kind, "prog") ? bpf_prog_get_next_id
								     : bpf_map_get_next_id;
	__u32 next;
	int err = next_id(id->id - 1, &next);

	assert_true(!err || err == -ENOENT);
	return !err && next == id->id;
}

struct trace *open_session_with(const struct trace_options *o)
{
	struct fault f = {};
	struct trace *t;

	nr_ids_before = collect_ids(ids, ARRAY_SIZE(ids));
	assert_no_fault(trace_open(&t, o, &f), f);
	return t;
}

struct trace *open_session(bool pools, bool programs)
{
	struct trace_options o = {.arenas = true, .pools = pools, .programs = programs};

	return open_session_with(&o);
}

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

void close_session(struct trace *t)
{
	struct bpf_id left[ARRAY_SIZE(ids)];
	time_t until = seconds() + PATIENCE_S;

	nr_ids = collect_ids(ids, ARRAY_SIZE(ids));
	assert_true(nr_ids > nr_ids_before);
	trace_close(t);
	assert_int_equal(collect_ids(left, ARRAY_SIZE(left)), nr_ids_before);
	if (nr_ids_before)
		return;
	/* The kernel frees maps and programs after a grace period of its own. */
	for (size_t i = 0; i < nr_ids; i++) {
		while (exists(&ids[i]) && seconds() < until)
			sched_yield();
		if (exists(&ids[i]))
			fail_msg("%s %u remains", ids[i].kind, ids[i].id);
	}
}

struct trace_event next_event(struct trace *t)
{
	struct pollfd p = {.fd = trace_event_fd(t), .events = POLLIN};
	struct trace_event e = {};
	int n;

	while ((n = trace_next(t, &e)) == 0)
		if (poll(&p, 1, PATIENCE_S * 1000) != 1)
			fail_msg("no event came");
	assert_int_equal(n, 1);
	return e;
}

char *sibling(const char *name, char buf[static 4096])
{
	ssize_t n = readlink("/proc/self/exe", buf, 4000);
	char *slash;

	assert_true(n > 0);
	buf[n] = '\0';
	slash = strrchr(buf, '/');
	snprintf(slash + 1, 4096 - (slash + 1 - buf), "%s", name);
	return buf;
}

struct wanted {
	uintptr_t address;
	uint64_t offset;
};

static int find_offset(struct dl_phdr_info *info, size_t size, void *ctx)
{
	struct wanted *w = ctx;
	uintptr_t address = w->address - info->dlpi_addr;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_LOAD && address - p->p_vaddr < p->p_filesz)
			w->offset = address - p->p_vaddr + p->p_offset;
	}
	return 1; /* the first is the program itself */
}

uint64_t file_offset(const void *function)
{
	struct wanted w = {.address = (uintptr_t)function};

	dl_iterate_phdr(find_offset, &w);
	assert_true(w.offset);
	return w.offset;
}
