/* SPDX-License-Identifier: MIT */
/*
 * Lives of processes: forks, execs and exits of targets are followed and reported in order, threads
 * are not taken for processes, vfork children do not take their parent's RSS, and a program can be
 * stopped before its first instruction and at its entry point.
 */
#include "bpf_test.h"

#include "base/cleanup.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PAGE	  4096
#define NR_PAGES  500
#define NR_VFORKS 6000 /* two records of 32 bytes each: more than the 256 KiB there are */

static char *const stop_argv[] = {"test_task", "--stop", NULL};

static void touch(void)
{
	char *p = mmap(NULL, NR_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED)
		_exit(1);
	madvise(p, NR_PAGES * PAGE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < NR_PAGES; i++)
		p[i * PAGE] = 1;
}

static void *touch_and_end(void *arg)
{
	touch();
	return NULL;
}

/* Runs in a thread while the first one has ended. */
static void *outlive(void *arg)
{
	char c;

	pthread_join(*(pthread_t *)arg, NULL);
	touch();
	raise(SIGSTOP);
	if (read(0, &c, 1) < 0)
		_exit(1);
	_exit(9);
}

/* The child's word on a process that it made, and what that process does. */
static pid_t make(int out, bool wait_for_it, void (*what)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		what();
		_exit(3);
	}
	if (write(out, &pid, sizeof(pid)) < 0)
		_exit(1);
	if (wait_for_it)
		waitpid(pid, NULL, 0);
	return pid;
}

static void do_nothing(void)
{
}

static void touch_and_stop(void)
{
	touch();
	raise(SIGSTOP);
}

static void exec_stop(void)
{
	execv("/proc/self/exe", stop_argv);
	_exit(127);
}

static void kill_self(void)
{
	raise(SIGKILL);
}

/* The counter is volatile because the children run on our stack. */
static void vfork_often(void)
{
	for (volatile int i = 0; i < NR_VFORKS; i++) {
		pid_t pid = vfork();

		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
}

static int parent(int in, int out)
{
	static pthread_t first;
	pthread_t threads[4];
	pid_t pid;
	char c;

	while (read(in, &c, 1) == 1) {
		switch (c) {
		case 'f':
			make(out, true, do_nothing);
			break;
		case 'k':
			make(out, true, kill_self);
			break;
		case 's':
			make(out, false, touch_and_stop);
			break;
		case 'e':
			make(out, false, exec_stop);
			break;
		case 't':
			for (int i = 0; i < 4; i++)
				pthread_create(&threads[i], NULL, touch_and_end, NULL);
			for (int i = 0; i < 4; i++)
				pthread_join(threads[i], NULL);
			raise(SIGSTOP);
			break;
		case 'v':
			/* The child stops while it runs on our memory, then becomes a program. */
			pid = vfork();
			if (pid == 0) {
				raise(SIGSTOP);
				execv("/proc/self/exe", stop_argv);
				_exit(127);
			}
			raise(SIGSTOP);
			break;
		case 'V':
			vfork_often();
			raise(SIGSTOP);
			break;
		case 'l': /* the first thread ends, another goes on */
			first = pthread_self();
			dup2(in, 0);
			pthread_create(&threads[0], NULL, outlive, &first);
			pthread_exit(
				NULL); /* not exit(2): since 2.43 glibc's join waits for more */
		default:
			return 1;
		}
	}
	return 0;
}

static struct child start_parent(struct trace *t, unsigned flags)
{
	struct child c = child_start(parent);
	struct pmt_target what = {.flags = flags};
	struct fault f = {};

	assert_no_fault(trace_set_target(t, c.pid, &what, &f), f);
	return c;
}

static pid_t ask(const struct child *c, char command)
{
	pid_t pid;

	child_command(c, command);
	child_read(c, &pid, sizeof(pid));
	return pid;
}

static void assert_event(struct trace *t, enum pmt_rec_type type, pid_t pid, pid_t of, int status)
{
	struct trace_event e = next_event(t);

	assert_int_equal(e.type, type);
	assert_int_equal(e.pid, pid);
	assert_int_equal(e.parent, of);
	assert_int_equal(e.status, status);
}

/* Waits until a process that is not the test's child has stopped: its events come before that. */
static char state_of(const char *path)
{
	_cleanup_file_ FILE *f = fopen(path, "re");
	char line[512];

	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	return strrchr(line, ')')[2];
}

static void wait_state(pid_t pid, char wanted)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	while (state_of(path) != wanted)
		sched_yield();
}

static void children_are_followed(void **state)
{
	struct trace *t = open_session(false, true);
	struct child c = start_parent(t, PMT_FOLLOW);
	struct trace_counts n;
	struct fault f = {};
	pid_t pid;

	pid = ask(&c, 'f');
	assert_event(t, PMT_REC_FORK, pid, c.pid, 0);
	assert_event(t, PMT_REC_EXIT, pid, 0, 3 << 8);
	pid = ask(&c, 'k');
	assert_event(t, PMT_REC_FORK, pid, c.pid, 0);
	assert_event(t, PMT_REC_EXIT, pid, 0, SIGKILL);
	assert_no_fault(trace_read(t, pid, &n, &f), f);
	assert_true(n.ended && n.rss.anon > 0);

	pid = ask(&c, 's');
	assert_event(t, PMT_REC_FORK, pid, c.pid, 0);
	wait_state(pid, 'T');
	n = assert_rss_exact(t, pid);
	assert_true(n.rss.anon >= NR_PAGES / 64 * 64 * PAGE);
	assert_true(n.rss_events > 0);
	kill(pid, SIGCONT);
	assert_event(t, PMT_REC_EXIT, pid, 0, 3 << 8);
	assert_int_equal(child_end(&c), 0);
	assert_event(t, PMT_REC_EXIT, c.pid, 0, 0);
	close_session(t);
}

static void nothing_is_followed_unless_asked(void **state)
{
	struct trace *t = open_session(false, true);
	struct child c = start_parent(t, 0);
	struct trace_counts n;
	struct fault f = {};
	pid_t pid;

	pid = ask(&c, 'f');
	assert_int_equal(child_end(&c), 0);
	assert_event(t, PMT_REC_EXIT, c.pid, 0, 0);
	assert_int_equal(trace_read(t, pid, &n, &f), -ESRCH);
	close_session(t);
}

static void a_new_program_is_a_new_account(void **state)
{
	struct trace *t = open_session(false, true);
	struct child c = start_parent(t, PMT_FOLLOW);
	pid_t pid = ask(&c, 'e');

	assert_event(t, PMT_REC_FORK, pid, c.pid, 0);
	assert_event(t, PMT_REC_EXEC, pid, 0, 0);
	wait_state(pid, 'T');
	assert_rss_exact(t, pid);
	kill(pid, SIGCONT);
	assert_event(t, PMT_REC_EXIT, pid, 0, 0);
	child_end(&c);
	close_session(t);
}

static void threads_are_not_processes(void **state)
{
	struct trace *t = open_session(false, true);
	struct child c = start_parent(t, PMT_FOLLOW);
	struct trace_event e;
	struct trace_counts n;

	child_command(&c, 't');
	child_wait_stopped(&c);
	assert_int_equal(trace_next(t, &e), 0);
	n = assert_rss_exact(t, c.pid);
	assert_int_equal(n.rss_foreign, 0);
	child_end(&c);
	assert_event(t, PMT_REC_EXIT, c.pid, 0, 0);
	close_session(t);
}

/* A process lives on when its first thread has ended, with all its memory, and is read right. */
static void the_first_thread_may_end(void **state)
{
	struct trace *t = open_session(false, true);
	struct child c = start_parent(t, 0);
	struct trace_event e;

	child_command(&c, 'l');
	child_wait_stopped(&c);
	assert_int_equal(trace_next(t, &e), 0);
	/* /proc/PID/status is the first thread's, which has no memory: ask for the other's. */
	struct pmt_target what = {};
	struct trace_counts n;
	struct fault f = {};

	assert_no_fault(trace_set_target(t, c.pid, &what, &f), f);
	assert_no_fault(trace_read(t, c.pid, &n, &f), f);
	assert_false(n.ended);
	assert_true(n.rss_exact.anon >= NR_PAGES / 64 * 64 * PAGE);
	assert_int_equal(WEXITSTATUS(child_end(&c)), 9);
	assert_event(t, PMT_REC_EXIT, c.pid, 0, 9 << 8);
	close_session(t);
}

static void vfork_children_do_not_take_the_rss(void **state)
{
	struct trace *t = open_session(false, true);
	struct child c = start_parent(t, PMT_FOLLOW);
	struct trace_counts n;
	struct trace_event e;
	struct fault f = {};

	child_command(&c, 'v');
	e = next_event(t);
	assert_int_equal(e.type, PMT_REC_FORK);
	assert_int_equal(e.parent, c.pid);
	wait_state(e.pid, 'T');
	assert_no_fault(trace_read(t, e.pid, &n, &f), f);
	assert_int_equal(n.counts.mm, 0);
	assert_int_equal(n.rss_exact.anon, 0);
	assert_rss_exact(t, c.pid);
	kill(e.pid, SIGCONT);
	assert_event(t, PMT_REC_EXEC, e.pid, 0, 0);
	child_wait_stopped(&c); /* it goes on once the child is a program */
	wait_state(e.pid, 'T');
	assert_rss_exact(t, e.pid);
	assert_rss_exact(t, c.pid);
	kill(e.pid, SIGCONT);
	assert_event(t, PMT_REC_EXIT, e.pid, 0, 0);
	child_end(&c);
	close_session(t);
}

static bool maps_contain(pid_t pid, const char *what)
{
	char path[64], line[4096];
	_cleanup_file_ FILE *f = NULL;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (strstr(line, what))
			return true;
	return false;
}

/* Our own e_entry, as an offset in the file. */
static uint64_t entry_offset(int fd)
{
	Elf64_Phdr p;
	Elf64_Ehdr e;

	assert_int_equal(pread(fd, &e, sizeof(e), 0), sizeof(e));
	for (int i = 0; i < e.e_phnum; i++) {
		assert_int_equal(pread(fd, &p, sizeof(p), e.e_phoff + i * sizeof(p)), sizeof(p));
		if (p.p_type == PT_LOAD && e.e_entry - p.p_vaddr < p.p_filesz)
			return e.e_entry - p.p_vaddr + p.p_offset;
	}
	fail_msg("no entry point");
	return 0;
}

static void a_program_is_stopped_at_exec_and_entry(void **state)
{
	struct trace *t = open_session(false, true);
	_cleanup_fd_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct child c = start_parent(t, PMT_FOLLOW | PMT_STOP_EXEC);
	struct pmt_target what = {.flags = PMT_FOLLOW};
	struct fault f = {};
	pid_t pid = ask(&c, 'e');
	struct trace_event e;

	assert_event(t, PMT_REC_FORK, pid, c.pid, 0);
	assert_event(t, PMT_REC_EXEC, pid, 0, 0);
	wait_state(pid, 'T');
	assert_true(maps_contain(pid, "/test_task"));
	assert_false(maps_contain(pid, "libc.so"));
	assert_rss_exact(t, pid);
	assert_no_fault(trace_stop_at(t, pid, fd, entry_offset(fd), &f), f);
	/* What is found out about it meanwhile does not undo the stop. */
	assert_no_fault(trace_set_target(t, pid, &what, &f), f);
	kill(pid, SIGCONT);
	assert_event(t, PMT_REC_ENTRY, pid, 0, 0);
	wait_state(pid, 'T');
	assert_true(maps_contain(pid, "libc.so"));
	assert_rss_exact(t, pid);
	/* Only once: then it runs to its own stop, at which it is already past main's first lines. */
	kill(pid, SIGCONT);
	wait_state(pid, 'T');
	assert_int_equal(trace_next(t, &e), 0);
	kill(pid, SIGCONT);
	assert_event(t, PMT_REC_EXIT, pid, 0, 0);
	child_end(&c);
	close_session(t);
}

/* What does not fit the ring buffer is counted: read + lost == happened. */
static void lost_records_are_counted(void **state)
{
	struct trace *t = open_session(false, true);
	struct child c = start_parent(t, PMT_FOLLOW);
	uint64_t losses[PMT_LOSS_KINDS], n = 0;
	struct trace_event e;

	child_command(&c, 'V');
	child_wait_stopped(&c);
	while (trace_next(t, &e) == 1)
		n++;
	assert_int_equal(trace_read_losses(t, losses), 0);
	assert_true(n > 1000);
	assert_true(losses[PMT_LOSS_RING] > 0);
	assert_int_equal(n + losses[PMT_LOSS_RING], 2 * NR_VFORKS);
	assert_int_equal(losses[PMT_LOSS_TARGETS], 0);
	child_end(&c);
	close_session(t);
}

/* As root of a PID namespace of its own, with a /proc of its own, as in a container. */
static int in_container(int in, int out)
{
	char *argv[] = {"test_task", "--container", NULL};
	pid_t pid;
	int status;

	if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0)
		return 1;
	pid = fork();
	if (pid == 0) {
		if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("proc", "/proc", "proc", 0, NULL) < 0)
			_exit(2);
		dup2(out, 1);
		dup2(out, 2);
		execv("/proc/self/exe", argv);
		_exit(127);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void works_in_a_pid_namespace(void **state)
{
	struct child c = child_start(in_container);
	char said[4096];
	size_t n = 0;
	ssize_t r;
	int status;

	while ((r = read(c.from, said + n, sizeof(said) - 1 - n)) > 0)
		n += r;
	said[n] = '\0';
	status = child_end(&c);
	if (status)
		fail_msg("in the namespace: %s", said);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(children_are_followed),
	cmocka_unit_test(nothing_is_followed_unless_asked),
	cmocka_unit_test(a_new_program_is_a_new_account),
	cmocka_unit_test(threads_are_not_processes),
	cmocka_unit_test(the_first_thread_may_end),
	cmocka_unit_test(vfork_children_do_not_take_the_rss),
	cmocka_unit_test(a_program_is_stopped_at_exec_and_entry),
	cmocka_unit_test(lost_records_are_counted),
	cmocka_unit_test(works_in_a_pid_namespace),
};

/* Small PIDs that mean other processes outside: a wrong translation cannot pass. */
static const struct CMUnitTest container_tests[] = {
	cmocka_unit_test(children_are_followed),
	cmocka_unit_test(vfork_children_do_not_take_the_rss),
};

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--stop")) {
		raise(SIGSTOP);
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "--container"))
		return cmocka_run_group_tests_name("container", container_tests, NULL, NULL);
	return cmocka_run_group_tests_name("task", tests, NULL, NULL);
}
