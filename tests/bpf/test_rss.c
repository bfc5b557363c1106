/* SPDX-License-Identifier: MIT */
/*
 * The RSS that BPF keeps is the kernel's own (/proc/PID/status of a stopped process), to the byte:
 * before the first event, after many, for every kind of page, across exec and exit.
 */
#include "bpf_test.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAGE	  4096
#define NR_ANON	  1000
#define NR_SHMEM  300
#define NR_FILE	  50
#define NR_ROUNDS 40

static void touch(char *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		p[i * PAGE] = 1;
}

static char *map(size_t pages, int flags, int fd)
{
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (p == MAP_FAILED)
		_exit(1);
	madvise(p, pages * PAGE, MADV_NOHUGEPAGE);
	return p;
}

/* Does one thing per command, and stops after each. */
static int toucher(int in, int out)
{
	char *anon = map(NR_ANON, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *shmem = map(NR_SHMEM, MAP_SHARED | MAP_ANONYMOUS, -1);
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	volatile char sum = 0;
	char *file, c;

	if (fd < 0 || ftruncate(fd, NR_FILE * PAGE) < 0)
		return 1;
	file = map(NR_FILE, MAP_SHARED, fd);
	while (read(in, &c, 1) == 1) {
		switch (c) {
		case 'a':
			touch(anon, NR_ANON);
			break;
		case 'd':
			madvise(anon, NR_ANON * PAGE / 2, MADV_DONTNEED);
			break;
		case 's':
			touch(shmem, NR_SHMEM);
			break;
		case 'f':
			touch(file, NR_FILE);
			break;
		case 'm':
			for (int i = 0; i < NR_ROUNDS; i++) {
				madvise(anon, NR_ANON * PAGE, MADV_DONTNEED);
				touch(anon, NR_ANON);
			}
			break;
		case 'e': /* becomes a program that stops at once */
			execl("/proc/self/exe", "test_rss", "--stop", NULL);
			return 1;
		case 'x':
			return 7;
		case 'h': /* says where untouched memory is */
			if (write(out, &anon, sizeof(anon)) < 0)
				return 1;
			break;
		default:
			return 1;
		}
		sum += anon[0];
		raise(SIGSTOP);
	}
	return 0;
}

static void command(const struct child *c, char what)
{
	child_continue(c);
	child_command(c, what);
	child_wait_stopped(c);
}

static struct child start_toucher(struct trace *t)
{
	struct child c = child_start(toucher);
	struct pmt_target what = {};
	struct fault f = {};

	child_command(&c, 'd');
	child_wait_stopped(&c);
	assert_no_fault(trace_set_target(t, c.pid, &what, &f), f);
	return c;
}

static void exact_without_any_event(void **state)
{
	struct trace *t = open_session(false, false);
	struct child c = start_toucher(t);
	struct trace_counts n = assert_rss_exact(t, c.pid);

	assert_int_equal(n.rss_events, 0);
	assert_true(n.rss.anon > 0 && n.rss.file > 0);
	child_end(&c);
	close_session(t);
}

static void exact_for_each_kind(void **state)
{
	struct trace *t = open_session(false, false);
	struct child c = start_toucher(t);
	struct trace_counts before = assert_rss_exact(t, c.pid), after;
	/* Until 6.1 threads keep back up to 64 pages of each kind, from the kernel's figure too. */
	int64_t slack = trace_rss_is_batched(t) ? 64 * PAGE : 8 * PAGE;

	command(&c, 'a');
	after = assert_rss_exact(t, c.pid);
	assert_in_range(after.rss.anon - before.rss.anon, NR_ANON * PAGE - slack,
			NR_ANON * PAGE + slack);
	assert_true(after.rss_events >= (trace_rss_is_batched(t) ? NR_ANON / 64 - 1 : NR_ANON));

	command(&c, 's');
	after = assert_rss_exact(t, c.pid);
	assert_in_range(after.rss.shmem - before.rss.shmem, NR_SHMEM * PAGE - slack,
			NR_SHMEM * PAGE + slack);

	command(&c, 'f');
	after = assert_rss_exact(t, c.pid);
	/*
	 * The file's pages count as file pages unless /var/tmp is a tmpfs. Those of our own code come
	 * sixteen at a time, and until 6.1 late.
	 */
	slack = trace_rss_is_batched(t) ? 320 * PAGE : 2 * slack;
	assert_in_range(after.rss.file + after.rss.shmem - before.rss.file - before.rss.shmem,
			(NR_SHMEM + NR_FILE) * PAGE - slack, (NR_SHMEM + NR_FILE) * PAGE + slack);

	command(&c, 'd');
	before = after;
	after = assert_rss_exact(t, c.pid);
	slack = trace_rss_is_batched(t) ? 64 * PAGE : 8 * PAGE;
	assert_in_range(before.rss.anon - after.rss.anon, NR_ANON / 2 * PAGE - slack,
			NR_ANON / 2 * PAGE + slack);
	child_end(&c);
	close_session(t);
}

static void exact_after_many_events(void **state)
{
	struct trace *t = open_session(false, false);
	struct child a = start_toucher(t), b = start_toucher(t);
	struct trace_counts n;

	command(&a, 'm');
	command(&b, 'a');
	n = assert_rss_exact(t, a.pid);
	assert_true(n.rss_events >= NR_ROUNDS * NR_ANON / 64);
	n = assert_rss_exact(t, b.pid);
	assert_true(n.rss_events < NR_ROUNDS * NR_ANON);
	child_end(&a);
	child_end(&b);
	close_session(t);
}

/* Another process faults in the target's pages: its change all the same, counted as foreign. */
static void changes_by_others_are_seen(void **state)
{
	struct trace *t = open_session(false, false);
	struct child c = start_toucher(t);
	char path[64], *anon, one = 1;
	struct trace_counts n;
	int mem;

	child_continue(&c);
	child_command(&c, 'h');
	child_read(&c, &anon, sizeof(anon));
	child_wait_stopped(&c);
	n = assert_rss_exact(t, c.pid);
	assert_int_equal(n.rss_foreign, 0);
	snprintf(path, sizeof(path), "/proc/%d/mem", c.pid);
	mem = open(path, O_RDWR | O_CLOEXEC);
	assert_true(mem >= 0);
	for (int i = 1; i <= 200; i++)
		assert_int_equal(pwrite(mem, &one, 1, (uintptr_t)(anon + i * PAGE)), 1);
	close(mem);
	n = assert_rss_exact(t, c.pid);
	/* Until 6.1 the pages that a task changes in another's mm are counted one by one. */
	assert_int_equal(n.rss_foreign, 200);
	child_end(&c);
	close_session(t);
}

static void exact_after_exec(void **state)
{
	struct trace *t = open_session(false, false);
	struct child c = start_toucher(t);
	struct trace_counts before, after;

	command(&c, 'a');
	before = assert_rss_exact(t, c.pid);
	command(&c, 'e');
	after = assert_rss_exact(t, c.pid);
	assert_true(after.rss.anon < NR_ANON * PAGE);
	assert_true(after.rss_events >= before.rss_events);
	child_end(&c);
	close_session(t);
}

static void last_figures_survive_exit(void **state)
{
	struct trace *t = open_session(false, false);
	struct child c = start_toucher(t);
	struct trace_counts n;
	struct fault f = {};
	struct rss truth;
	pid_t pid = c.pid;

	command(&c, 'a');
	truth = rss_of(c.pid);
	child_continue(&c);
	child_command(&c, 'x');
	assert_int_equal(WEXITSTATUS(child_end(&c)), 7);
	assert_no_fault(trace_read(t, pid, &n, &f), f);
	assert_true(n.ended);
	assert_in_range(n.rss.anon, truth.anon - 16 * PAGE, truth.anon + 64 * PAGE);
	assert_int_equal(n.rss.anon, n.rss_exact.anon);
	assert_int_equal(trace_remove_target(t, pid), 0);
	assert_int_equal(trace_read(t, pid, &n, &f), -ESRCH);
	close_session(t);
}

static void what_is_no_process_is_refused(void **state)
{
	struct trace *t = open_session(false, false);
	struct pmt_target what = {};
	struct trace_counts n;
	struct fault f = {};

	assert_int_equal(trace_set_target(t, 0x7ffffff0, &what, &f), -ESRCH);
	assert_string_equal(f.text, "no process 2147483632");
	assert_int_equal(trace_read(t, getpid(), &n, &f), -ESRCH);
	assert_int_equal(trace_remove_target(t, 0x7ffffff0), -ESRCH);
	close_session(t);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact_without_any_event),
		cmocka_unit_test(exact_for_each_kind),
		cmocka_unit_test(exact_after_many_events),
		cmocka_unit_test(changes_by_others_are_seen),
		cmocka_unit_test(exact_after_exec),
		cmocka_unit_test(last_figures_survive_exit),
		cmocka_unit_test(what_is_no_process_is_refused),
	};

	if (argc > 1 && !strcmp(argv[1], "--stop")) {
		raise(SIGSTOP);
		return 0;
	}
	return cmocka_run_group_tests_name("rss", tests, NULL, NULL);
}
