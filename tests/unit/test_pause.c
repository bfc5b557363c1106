/* SPDX-License-Identifier: MIT */
/*
 * Pausing. Ground truth: the thread states that the kernel shows, counters that the target's
 * threads keep in shared memory, and what its parent (the test) gets from waitpid().
 */
#include "child.h"

#include "base/fault.h"
#include "target/proc.h"
#include "target/target.h"

#include <pthread.h>
#include <sys/ptrace.h>

#define THREADS 8

static struct {
	volatile uint64_t counters[THREADS];
	volatile uint64_t signals, vforks;
} * shared;

static int setup(void **state)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	return shared == MAP_FAILED ? -1 : 0;
}

static int reset(void **state)
{
	memset((void *)shared, 0, sizeof(*shared));
	return 0;
}

static void *count(void *arg)
{
	volatile uint64_t *counter = arg;

	for (;;) {
		++*counter;
		if (!(*counter & 0xfff))
			sched_yield();
	}
	return NULL;
}

static void start_counters(void)
{
	pthread_t thread;

	for (int i = 1; i < THREADS; i++)
		pthread_create(&thread, NULL, count, (void *)&shared->counters[i]);
}

static void run_counters(struct child *c, void *arg)
{
	start_counters();
	child_say(c, 0);
	count((void *)&shared->counters[0]);
}

static uint64_t sum_of_counters(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < THREADS; i++)
		sum += shared->counters[i];
	return sum;
}

/* How many threads the process has in the wanted state; -1 if any has another one. */
static int threads_in_state(pid_t pid, char wanted)
{
	char path[64];
	struct dirent *e;
	bool others = false;
	int nr = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((e = readdir(dir))) {
		struct proc_stat st;
		int fd;

		if (!proc_parse_pid(e->d_name))
			continue;
		fd = openat(dirfd(dir), e->d_name, O_PATH);
		if (fd >= 0 && !proc_read_stat(fd, &st)) {
			others |= st.state != wanted;
			nr += st.state == wanted;
		}
		if (fd >= 0)
			close(fd);
	}
	closedir(dir);
	return others ? -1 : nr;
}

static struct target *open_target(struct child *c)
{
	struct fault f = {0};
	struct target *t;

	if (target_open(&t, c->pid, &f))
		fail_msg("%s", f.text);
	return t;
}

/* Some machines let nobody but root trace a process that is not their child. */
static struct pause *pause_or_skip(struct child *c, struct target *t)
{
	struct fault f = {0};
	struct pause *p;

	if (target_pause(&p, t, &f)) {
		target_close(t);
		child_end(c);
		if (f.err == EPERM)
			skip();
		fail_msg("%s", f.text);
	}
	return p;
}

static bool parent_hears_nothing(pid_t pid)
{
	siginfo_t si = {0};

	assert_int_equal(
		waitid(P_PID, (id_t)pid, &si, WEXITED | WSTOPPED | WCONTINUED | WNOHANG | WNOWAIT),
		0);
	return si.si_pid == 0;
}

static void every_thread_stops_and_goes_on(void **state)
{
	struct target *t;
	struct pause *p;
	struct child c;
	uint64_t before;
	int64_t ns;

	child_start(&c, run_counters, NULL);
	child_hear(&c);
	t = open_target(&c);
	for (int round = 0; round < 20; round++) {
		p = pause_or_skip(&c, t);
		assert_int_equal(threads_in_state(c.pid, 't'), THREADS);
		before = sum_of_counters();
		for (int i = 0; i < 200; i++)
			sched_yield();
		assert_int_equal(sum_of_counters(), before);
		ns = target_resume(p);
		assert_true(ns > 0 && ns < 5000000000);
		wait_until(sum_of_counters() != before);
		assert_int_equal(threads_in_state(c.pid, 't'), -1);
		assert_true(parent_hears_nothing(c.pid));
	}
	/* no thread was left behind */
	for (int i = 0; i < THREADS; i++) {
		before = shared->counters[i];
		wait_until(shared->counters[i] != before);
	}
	target_close(t);
	child_end(&c);
}

static void stopped_process_stays_stopped(void **state)
{
	struct target *t;
	struct pause *p;
	struct child c;
	uint64_t before;
	int status;

	child_start(&c, run_counters, NULL);
	child_hear(&c);
	t = open_target(&c);
	kill(c.pid, SIGSTOP);
	assert_int_equal(waitpid(c.pid, &status, WUNTRACED), c.pid);
	p = pause_or_skip(&c, t);
	assert_true(threads_in_state(c.pid, 't') > 0);
	assert_true(target_resume(p) > 0);
	wait_until(threads_in_state(c.pid, 'T') == THREADS);
	assert_true(parent_hears_nothing(c.pid));
	before = sum_of_counters();
	kill(c.pid, SIGCONT);
	wait_until(sum_of_counters() != before);
	assert_int_equal(waitpid(c.pid, &status, WCONTINUED), c.pid);

	/* continued while paused: it goes on at the resume and not before */
	kill(c.pid, SIGSTOP);
	assert_int_equal(waitpid(c.pid, &status, WUNTRACED), c.pid);
	p = pause_or_skip(&c, t);
	kill(c.pid, SIGCONT);
	before = sum_of_counters();
	for (int i = 0; i < 200; i++)
		sched_yield();
	assert_int_equal(sum_of_counters(), before);
	target_resume(p);
	wait_until(sum_of_counters() != before);

	/* stopped while paused: it stays so */
	p = pause_or_skip(&c, t);
	kill(c.pid, SIGSTOP);
	target_resume(p);
	wait_until(threads_in_state(c.pid, 'T') == THREADS);
	target_close(t);
	child_end(&c);
}

static void on_signal(int sig)
{
	shared->signals++; /* one thread: no other one has it unblocked */
}

static void run_signalled(struct child *c, void *arg)
{
	struct sigaction sa = {.sa_handler = on_signal};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	start_counters();
	sigaction(SIGRTMIN, &sa, NULL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	child_say(c, 0);
	count((void *)&shared->counters[0]);
}

/* Real-time signals queue: each one sent is delivered once. */
static void no_signal_is_lost(void **state)
{
	uint64_t sent = 0;
	struct target *t;
	struct child c;

	child_start(&c, run_signalled, NULL);
	child_hear(&c);
	t = open_target(&c);
	for (int round = 0; round < 100; round++) {
		struct pause *p;

		for (int i = 0; i < 5; i++)
			sent += !sigqueue(c.pid, SIGRTMIN, (union sigval){0});
		p = pause_or_skip(&c, t);
		for (int i = 0; i < 3; i++)
			sent += !sigqueue(c.pid, SIGRTMIN, (union sigval){0});
		target_resume(p);
	}
	wait_until(shared->signals >= sent);
	assert_int_equal(shared->signals, sent);
	assert_true(parent_hears_nothing(c.pid));
	target_close(t);
	child_end(&c);
}

static void *come_and_go(void *arg)
{
	return NULL;
}

static void run_thread_churn(struct child *c, void *arg)
{
	child_say(c, 0);
	for (;;) {
		pthread_t a, b;

		if (!pthread_create(&a, NULL, come_and_go, NULL)) {
			if (!pthread_create(&b, NULL, come_and_go, NULL))
				pthread_join(b, NULL);
			pthread_join(a, NULL);
		}
		shared->counters[0]++;
	}
}

static void threads_come_and_go(void **state)
{
	struct target *t;
	struct child c;

	child_start(&c, run_thread_churn, NULL);
	child_hear(&c);
	t = open_target(&c);
	for (int round = 0; round < 100; round++) {
		struct pause *p = pause_or_skip(&c, t);
		uint64_t before = shared->counters[0];

		sched_yield();
		assert_true(threads_in_state(c.pid, 't') > 0);
		assert_int_equal(shared->counters[0], before);
		target_resume(p);
		wait_until(shared->counters[0] != before);
	}
	target_close(t);
	child_end(&c);
}

static void killed_while_paused(void **state)
{
	struct fault f = {0};
	struct target *t;
	struct pause *p;
	struct child c;
	int status;

	child_start(&c, run_counters, NULL);
	child_hear(&c);
	t = open_target(&c);
	p = pause_or_skip(&c, t);
	kill(c.pid, SIGKILL);
	target_resume(p);
	assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(target_pause(&p, t, &f), -ESRCH);
	target_close(t);
	close(c.to);
	close(c.from);
}

static void run_tool(struct child *c, void *arg)
{
	struct target *t;
	struct pause *p;

	child_say(c, (uint64_t)(target_open(&t, *(pid_t *)arg, NULL) || target_pause(&p, t, NULL)));
	child_wait(c);
}

/* The tool is killed: what it paused goes on. */
static void end_of_the_tool_ends_the_pause(void **state)
{
	struct child c, tool;
	uint64_t before, err;

	child_start(&c, run_counters, NULL);
	child_hear(&c);
	child_start(&tool, run_tool, &c.pid);
	err = child_hear(&tool);
	if (err) {
		child_end(&tool);
		child_end(&c);
		skip();
	}
	assert_int_equal(threads_in_state(c.pid, 't'), THREADS);
	before = sum_of_counters();
	child_end(&tool);
	wait_until(sum_of_counters() != before);
	wait_until(threads_in_state(c.pid, 't') == -1);
	child_end(&c);
}

static void run_debugger(struct child *c, void *arg)
{
	child_say(c, (uint64_t)(ptrace(PTRACE_SEIZE, *(pid_t *)arg, 0, 0) != 0));
	child_wait(c);
}

static void traced_process_is_busy(void **state)
{
	struct fault f = {0};
	struct child c, debugger;
	struct target *t;
	struct pause *p;
	char wanted[32];
	uint64_t err;

	child_start(&c, run_counters, NULL);
	child_hear(&c);
	child_start(&debugger, run_debugger, &c.pid);
	err = child_hear(&debugger);
	if (err) {
		child_end(&debugger);
		child_end(&c);
		skip();
	}
	t = open_target(&c);
	assert_int_equal(target_pause(&p, t, &f), -EBUSY);
	snprintf(wanted, sizeof(wanted), "by process %d ", debugger.pid);
	assert_non_null(strstr(f.text, wanted));
	child_end(&debugger);
	p = pause_or_skip(&c, t);
	target_resume(p);
	target_close(t);
	child_end(&c);
}

static void *vfork_and_wait(void *arg)
{
	struct child *c = arg;
	pid_t pid = vfork();

	if (!pid) {
		char byte;

		if (read(c->from, &byte, 1) < 0) /* this thread cannot be stopped until it has */
			_exit(1);
		_exit(0);
	}
	for (;;)
		++shared->vforks;
	return NULL;
}

static void run_vfork(struct child *c, void *arg)
{
	pthread_t thread;

	start_counters();
	pthread_create(&thread, NULL, vfork_and_wait, c);
	child_say(c, 0);
	count((void *)&shared->counters[0]);
}

static void what_does_not_stop_is_let_go(void **state)
{
	struct fault f = {0};
	struct target *t;
	struct pause *p;
	struct child c;
	uint64_t before;
	pid_t *pids;
	int n, err;

	child_start(&c, run_vfork, NULL);
	child_hear(&c);
	t = open_target(&c);
	do {
		n = target_list_descendants(c.pid, &pids);
		free(pids);
	} while (!n);
	err = target_pause(&p, t, &f);
	if (err == -EPERM) {
		target_close(t);
		child_end(&c);
		skip();
	}
	assert_int_equal(err, -ETIMEDOUT);
	assert_non_null(strstr(f.hint, "uninterruptibly"));
	for (int i = 0; i < THREADS; i++) {
		before = shared->counters[i];
		wait_until(shared->counters[i] != before);
	}
	child_go_on(&c);
	wait_until(shared->vforks);
	before = shared->vforks;
	wait_until(shared->vforks != before);
	target_close(t);
	child_end(&c);
}

static void nothing_to_resume(void **state)
{
	assert_int_equal(target_resume(NULL), 0);
}

#define paused_test(test) cmocka_unit_test_setup(test, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		paused_test(every_thread_stops_and_goes_on),
		paused_test(stopped_process_stays_stopped),
		paused_test(no_signal_is_lost),
		paused_test(threads_come_and_go),
		paused_test(killed_while_paused),
		paused_test(end_of_the_tool_ends_the_pause),
		paused_test(traced_process_is_busy),
		paused_test(what_does_not_stop_is_let_go),
		cmocka_unit_test(nothing_to_resume),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
