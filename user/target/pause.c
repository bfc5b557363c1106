/* SPDX-License-Identifier: MIT */
/*
 * Stopping every thread of a target for the milliseconds of an exact read, so that nobody but its
 * own clock can tell: PTRACE_SEIZE and PTRACE_INTERRUPT send no signal, and neither the target's
 * parent nor its shell hears of it.
 *
 * A child process of ours is the tracer. A thread in uninterruptible sleep cannot be stopped, and
 * what is seized but does not stop cannot be detached either: it would freeze the moment it wakes
 * up, for as long as its tracer lives. So on giving up, the tracer must end, and the kernel lets go
 * of everything it traced. The child also dies with us (PR_SET_PDEATHSIG), whatever kills us.
 *
 * A system call that ptrace interrupts is restarted, or returns EINTR where signal(7) says that it
 * does so after SIGSTOP and SIGCONT (epoll_wait, for one); Python retries these (PEP 475).
 */
#include "target/target.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "target/tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct pause {
	pid_t child;
	int socket;
	int64_t begin_ns;
};

static ssize_t read_fully(int fd, void *buf, size_t len)
{
	ssize_t n;

	do
		n = read(fd, buf, len); /* SOCK_SEQPACKET: one message */
	while (n < 0 && errno == EINTR);
	return n;
}

/* Never returns. Nothing of the parent's may run here: no exit handlers, no buffers flushed. */
static void __attribute__((noreturn)) be_tracer(const struct target *t, pid_t parent, int socket)
{
	struct tracer_report report = {0};
	struct tracer tracer = {0};
	char byte;

	/* whoever ended before this call was made cannot be waited for by it */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	report.err = -tracer_stop(&tracer, t, &report.fault);
	report.begin_ns = tracer.begin_ns;
	if (report.err) {
		/* what does not stop cannot be detached: the end of this process frees it */
		tracer_release(&tracer);
		(void)!write(socket, &report, sizeof(report));
		_exit(1);
	}
	if (write(socket, &report, sizeof(report)) != sizeof(report))
		_exit(1);
	while (read(socket, &byte, 1) < 0 && errno == EINTR)
		;
	tracer_release(&tracer);
	_exit(0);
}

/*
 * A child without exit signal: no SIGCHLD for a command that runs its own children, and
 * waitpid(-1) does not see it. All signals are blocked in it, so that Ctrl-C at the terminal, which
 * goes to the whole group, leaves the order of things to the parent.
 */
static pid_t start_tracer(const struct target *t, int sockets[2])
{
	pid_t parent = getpid(), child;
	sigset_t all, old;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	child = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
	if (!child) {
		close(sockets[0]);
		be_tracer(t, parent, sockets[1]);
	}
	if (child < 0)
		child = -errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	return child;
}

static int reap(pid_t child)
{
	int status;
	pid_t n;

	do
		n = waitpid(child, &status, __WALL);
	while (n < 0 && errno == EINTR);
	return n == child && WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -ECHILD;
}

int target_pause(struct pause **ret, const struct target *t, struct fault *f)
{
	_cleanup_free_ struct pause *p = malloc(sizeof(*p));
	struct tracer_report report;
	int sockets[2];
	ssize_t n;

	if (!p)
		return fault_errno(f, ENOMEM, "pausing process %d", t->pid);
	if (t->pid == getpid())
		return fault_set(f, EINVAL, "the tool cannot pause itself");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
		return fault_errno(f, errno, "pausing process %d", t->pid);
	p->socket = sockets[0];
	p->begin_ns = clock_monotonic_ns();
	p->child = start_tracer(t, sockets);
	close(sockets[1]);
	if (p->child < 0) {
		close(p->socket);
		return fault_errno(f, -p->child, "pausing process %d", t->pid);
	}
	n = read_fully(p->socket, &report, sizeof(report));
	if (n == sizeof(report) && !report.err) {
		p->begin_ns = report.begin_ns;
		*ret = steal_ptr(p);
		return 0;
	}
	close(p->socket);
	reap(p->child);
	if (n != sizeof(report))
		return fault_set(f, EIO, "the tracer of process %d was killed", t->pid);
	if (f)
		*f = report.fault;
	return -report.err;
}

int64_t target_resume(struct pause *p)
{
	int64_t ns;
	int err;

	if (!p)
		return 0;
	close(p->socket);
	err = reap(p->child);
	ns = clock_monotonic_ns() - p->begin_ns;
	free(p);
	return err ? err : ns;
}
