/* SPDX-License-Identifier: MIT */
/*
 * Opening, identifying and listing processes. Ground truth: what the test's own children were made
 * to be.
 */
#include "child.h"

#include "base/fault.h"
#include "model/snapshot.h"
#include "target/proc.h"
#include "target/target.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

static void set_without(const char *names)
{
	if (names)
		setenv("PYMEMTRACE_WITHOUT", names, 1);
	else
		unsetenv("PYMEMTRACE_WITHOUT");
}

static struct target *open_target(pid_t pid)
{
	struct fault f = {0};
	struct target *t;

	if (target_open(&t, pid, &f))
		fail_msg("%s", f.text);
	return t;
}

static void put_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "we");

	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

static void run_idle(struct child *c, void *arg)
{
	child_say(c, 0);
	child_wait(c);
}

/* --- who it is -------------------------------------------------------------------------------- */

static void run_named(struct child *c, void *arg)
{
	prctl(PR_SET_NAME, "a) R 1 \n(b");
	child_say(c, 0);
	child_wait(c);
}

static void identity_is_that_of_the_child(void **state)
{
	char exe[PATH_MAX] = "";
	struct process_id id;
	struct fault f = {0};
	struct target *t;
	struct child c;

	child_start(&c, run_named, NULL);
	child_hear(&c);
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	t = open_target(c.pid);
	assert_int_equal(target_identify(t, &id, &f), 0);
	assert_int_equal(id.pid, c.pid);
	assert_int_equal(id.ns_pid, c.pid);
	assert_int_equal(id.ppid, getpid());
	assert_string_equal(id.comm, "a) R 1 \n(b");
	assert_string_equal(id.exe, exe);
	assert_non_null(strstr(id.cmdline, "test_target"));
	assert_true(id.start_ticks > 0);
	process_id_done(&id);
	child_end(&c);
	assert_int_equal(target_identify(t, &id, &f), -ESRCH);
	target_close(t);
}

static void run_sleep(struct child *c, void *arg)
{
	char *path = arg;

	execl(path, "a name", "", "two  words", "-x", NULL);
	_exit(1);
}

/* Arguments of an exec'd program; its file deleted while it runs, or named as if it were. */
static void command_line_and_deleted_program(void **state)
{
	char dir[] = "/tmp/pmt-exe-XXXXXX", path[64], source[64];
	struct process_id id = {0};
	struct child c;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/cat (deleted)", dir);
	/* a program that waits for its input, whatever its arguments */
	snprintf(source, sizeof(source), "%s/p.c", dir);
	put_file(source, "#include <unistd.h>\nint main(void)\n{\n\tchar c;\n"
			 "\treturn (int)read(0, &c, 1);\n}\n");
	if (run_command("cc -o '%s' %s 2>/dev/null", path, source)) {
		run_command("rm -rf %s", dir);
		skip();
	}
	for (int round = 0; round < 2; round++) {
		int in[2], saved = dup(0);
		struct target *t;

		assert_int_equal(pipe2(in, O_CLOEXEC), 0);
		dup2(in[0], 0);
		child_start(&c, run_sleep, path);
		t = open_target(c.pid);
		do {
			process_id_done(&id);
			assert_int_equal(target_identify(t, &id, NULL), 0);
		} while (strcmp(id.cmdline, "a name  two  words -x"));
		assert_string_equal(id.exe, path);
		if (!round) {
			process_id_done(&id);
			unlink(path);
			assert_int_equal(target_identify(t, &id, NULL), 0);
			assert_string_equal(id.exe, path);
			assert_int_equal(run_command("cp /proc/%d/exe '%s'", c.pid, path), 0);
		}
		process_id_done(&id);
		target_close(t);
		child_end(&c);
		dup2(saved, 0);
		close(saved);
		close(in[0]);
		close(in[1]);
	}
	run_command("rm -rf %s", dir);
}

static void resident_set_is_the_kernels(void **state)
{
	unsigned long resident, file;
	struct rss before, after;
	char path[64], text[128];
	struct target *t;
	struct child c;
	FILE *in;

	child_start(&c, run_idle, NULL);
	child_hear(&c);
	t = open_target(c.pid);
	assert_int_equal(target_rss(t, &before, NULL), 0);
	/* /proc/PID/statm counts the same in pages: size resident shared ... */
	snprintf(path, sizeof(path), "/proc/%d/statm", c.pid);
	in = fopen(path, "re");
	assert_non_null(fgets(text, sizeof(text), in));
	fclose(in);
	assert_int_equal(sscanf(text, "%*u %lu %lu", &resident, &file), 2);
	assert_int_equal(rss_resident(&before), resident * 4096);
	assert_int_equal(before.file + before.shmem, file * 4096);
	assert_true(before.anon > 0 && before.file > 0);
	child_end(&c);
	assert_int_equal(target_rss(t, &after, NULL), -ESRCH);
	target_close(t);
}

/* --- what is no process ----------------------------------------------------------------------- */

static void no_process_no_target(void **state)
{
	struct target *t = (void *)1;
	struct fault f = {0};
	struct child c;

	assert_int_equal(target_open(&t, 0, &f), -EINVAL);
	assert_int_equal(target_open(&t, -1, &f), -EINVAL);
	child_start(&c, run_idle, NULL);
	child_hear(&c);
	child_end(&c);
	assert_int_equal(target_open(&t, c.pid, &f), -ESRCH);
	assert_non_null(strstr(f.text, "no process"));
	/* nobody wants to know why: still no success */
	assert_int_equal(target_open(&t, c.pid, NULL), -ESRCH);
	assert_ptr_equal(t, (void *)1);
	target_close(NULL);
}

static void end_is_noticed(void **state)
{
	for (int without = 0; without < 2; without++) {
		struct target *t, *again;
		struct fault f = {0};
		struct child c;
		siginfo_t si;

		child_start(&c, run_idle, NULL);
		child_hear(&c);
		set_without(without ? "pidfd" : NULL);
		t = open_target(c.pid);
		assert_int_equal(t->pidfd >= 0, !without);
		assert_false(target_ended(t));
		kill(c.pid, SIGKILL);
		waitid(P_PID, (id_t)c.pid, &si, WEXITED | WNOWAIT);
		assert_true(target_ended(t)); /* a zombie */
		assert_int_equal(target_open(&again, c.pid, &f), -ESRCH);
		assert_non_null(strstr(f.text, "has ended"));
		assert_int_equal(target_open(&again, c.pid, NULL), -ESRCH);
		child_end(&c);
		assert_true(target_ended(t));
		target_close(t);
		set_without(NULL);
	}
}

static void *say_tid(void *arg)
{
	struct child *c = arg;

	child_say(c, (uint64_t)syscall(SYS_gettid));
	child_wait(c);
	_exit(0);
}

/* The first thread ends, the process goes on. */
static void run_leaderless(struct child *c, void *arg)
{
	pthread_t thread;

	pthread_create(&thread, NULL, say_tid, c);
	pthread_exit(NULL);
}

static void thread_is_no_process(void **state)
{
	struct fault f = {0};
	struct target *t;
	char wanted[64];
	struct child c;
	pid_t tid;

	child_start(&c, run_leaderless, NULL);
	tid = (pid_t)child_hear(&c);
	assert_int_equal(target_open(&t, tid, &f), -ESRCH);
	snprintf(wanted, sizeof(wanted), "process %d", c.pid);
	assert_non_null(strstr(f.hint, wanted));
	assert_int_equal(target_open(&t, tid, NULL), -ESRCH);
	for (int without = 0; without < 2; without++) {
		char path[64];
		struct proc_stat st;
		int fd;

		snprintf(path, sizeof(path), "/proc/%d", c.pid);
		fd = open(path, O_PATH);
		wait_until(!proc_read_stat(fd, &st) && st.state == 'Z');
		close(fd);
		set_without(without ? "pidfd" : NULL);
		t = open_target(c.pid);
		assert_false(target_ended(t));
		target_close(t);
	}
	set_without(NULL);
	child_end(&c);
}

/* --- PID namespaces --------------------------------------------------------------------------- */

#define INNER_PID 31999

/* PID 1 of a namespace of its own, and below it a process whose PID there is INNER_PID. */
static void run_namespace(struct child *c, void *arg)
{
	int fd;
	pid_t pid;

	if (unshare(CLONE_NEWPID) && unshare(CLONE_NEWUSER | CLONE_NEWPID))
		child_say(c, 0);
	pid = fork();
	if (pid) {
		waitpid(pid, NULL, 0);
		_exit(0);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* of the namespace of who writes it */
	fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
	if (fd < 0 || write(fd, "31998", 5) != 5)
		child_say(c, 0);
	close(fd);
	pid = fork();
	if (!pid) {
		child_say(c, (uint64_t)getpid());
		child_wait(c);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void hint_names_the_host_pid(void **state)
{
	struct process_id id;
	struct fault f = {0};
	struct target *t;
	char wanted[64];
	struct child c;
	pid_t *pids;
	int n;

	if (!access("/proc/31999", F_OK))
		skip();
	child_start(&c, run_namespace, NULL);
	if (child_hear(&c) != INNER_PID) {
		child_end(&c);
		skip();
	}
	n = target_list_descendants(c.pid, &pids);
	assert_int_equal(n, 2);
	assert_int_equal(target_open(&t, INNER_PID, &f), -ESRCH);
	snprintf(wanted, sizeof(wanted), "PID %d exists inside containers: host PID %d", INNER_PID,
		 pids[1]);
	assert_non_null(strstr(f.hint, wanted));
	t = open_target(pids[1]);
	assert_int_equal(target_identify(t, &id, NULL), 0);
	assert_int_equal(id.pid, pids[1]);
	assert_int_equal(id.ns_pid, INNER_PID);
	process_id_done(&id);
	target_close(t);
	free(pids);
	child_end(&c);
}

/* --- lists ------------------------------------------------------------------------------------ */

static void run_family(struct child *c, void *arg)
{
	/* two children, one of which has one of its own; and a zombie */
	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();

		if (pid) {
			child_say(c, (uint64_t)pid);
			continue;
		}
		if (i == 2)
			_exit(0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (i == 0) {
			pid = fork();
			if (pid)
				child_say(c, (uint64_t)pid);
			else
				prctl(PR_SET_PDEATHSIG, SIGKILL);
		}
		for (;;)
			pause();
	}
	for (;;)
		pause();
}

static bool contains(const pid_t *pids, int n, pid_t pid)
{
	for (int i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

static void lists_are_complete(void **state)
{
	pid_t *all, *found, family[4], zombie = 0;
	struct child c;
	int n;

	child_start(&c, run_family, NULL);
	for (int i = 0; i < 4; i++)
		family[i] = (pid_t)child_hear(&c);
	n = target_list_pids(&all);
	assert_true(n > 5);
	for (int i = 1; i < n; i++)
		assert_true(all[i - 1] < all[i]);
	assert_true(contains(all, n, getpid()) && contains(all, n, c.pid));
	free(all);

	/* the zombie: the one that is not in the list once it has ended */
	wait_until((n = target_list_descendants(c.pid, &found)) == 3 || (free(found), false));
	assert_false(contains(found, n, c.pid));
	for (int i = 0; i < 4; i++) {
		if (contains(found, n, family[i]))
			continue;
		assert_int_equal(zombie, 0);
		zombie = family[i];
	}
	assert_true(zombie);
	free(found);
	n = target_list_descendants(getpid(), &found);
	assert_true(n >= 4 && contains(found, n, c.pid));
	free(found);
	child_end(&c);
	n = target_list_descendants(c.pid, &found);
	assert_int_equal(n, 0);
	free(found);
}

static void permission_is_explained(void **state)
{
	struct child c;
	int status;

	if (geteuid() != 0)
		skip();
	/* an unprivileged user looks at a process of root */
	c.pid = fork();
	if (!c.pid) {
		struct fault f = {0};
		struct target *t;
		int err;

		if (setgid(65534) || setuid(65534))
			_exit(2);
		err = target_open(&t, getppid(), &f);
		if (target_open(&t, getppid(), NULL) != -EPERM)
			_exit(3);
		_exit(err == -EPERM && strstr(f.hint, "CAP_SYS_PTRACE") ? 0 : 1);
	}
	waitpid(c.pid, &status, 0);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity_is_that_of_the_child),
		cmocka_unit_test(command_line_and_deleted_program),
		cmocka_unit_test(resident_set_is_the_kernels),
		cmocka_unit_test(no_process_no_target),
		cmocka_unit_test(end_is_noticed),
		cmocka_unit_test(thread_is_no_process),
		cmocka_unit_test(hint_names_the_host_pid),
		cmocka_unit_test(lists_are_complete),
		cmocka_unit_test(permission_is_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
