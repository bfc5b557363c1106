/* SPDX-License-Identifier: MIT */
/*
 * All threads of one process into a ptrace stop, and out of it as they were. What a stop can be
 * (ptrace(2), "Stopped states", for seized tracees):
 *
 *   event PTRACE_EVENT_STOP, SIGTRAP   our interrupt
 *   event PTRACE_EVENT_STOP, SIGSTOP.. the process had been stopped by this signal; the kernel
 *                                      remembers it and stops the thread again at the detach
 *   no event, a signal                 this signal was about to be delivered: it is handed back at
 *                                      the detach, or else it would be lost
 */
#include "target/tracer.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "target/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#define STOP_TIMEOUT_NS	 2000000000ll  /* for one thread */
#define TOTAL_TIMEOUT_NS 10000000000ll /* for a process that starts threads all the time */
#define PASSES_MAX	 1000

/* state and TracerPid of one thread; -ENOENT, -ESRCH: it has ended */
static int thread_state(const struct target *t, pid_t tid, char *ret_state, pid_t *ret_tracer)
{
	_cleanup_free_ char *status = NULL;
	const char *value;
	char name[48];
	ssize_t n;

	snprintf(name, sizeof(name), "task/%d/status", tid);
	n = proc_read(t->proc_fd, name, PROC_SMALL, &status);
	if (n < 0)
		return (int)n;
	value = proc_status_value(status, "State");
	*ret_state = value ? *value : '?';
	value = proc_status_value(status, "TracerPid");
	*ret_tracer = value ? (pid_t)strtol(value, NULL, 10) : 0;
	return 0;
}

static struct tracee *tracee_of(struct tracer *tr, pid_t tid)
{
	for (size_t i = 0; i < tr->nr; i++)
		if (tr->v[i].tid == tid)
			return &tr->v[i];
	return NULL;
}

static struct tracee *add_tracee(struct tracer *tr, pid_t tid)
{
	if (tr->nr == tr->size) {
		size_t size = tr->size ? tr->size * 2 : 64;
		struct tracee *bigger = realloc(tr->v, size * sizeof(*bigger));

		if (!bigger)
			return NULL;
		tr->v = bigger;
		tr->size = size;
	}
	tr->v[tr->nr] = (struct tracee){.tid = tid};
	return &tr->v[tr->nr++];
}

static int fault_seize(const struct target *t, int err, pid_t tracer, struct fault *f)
{
	if (tracer) {
		fault_set(f, EBUSY, "process %d is traced by process %d already", t->pid, tracer);
		fault_hint(f, "end that debugger, or read without stopping the process");
		return -EBUSY;
	}
	if (err == EPERM || err == EACCES) {
		fault_set(f, EPERM, "no permission to stop process %d", t->pid);
		fault_hint(f, "run as root, or give the tool CAP_SYS_PTRACE");
		return -EPERM;
	}
	return fault_errno(f, err, "stopping process %d", t->pid);
}

/* 1: seized and interrupted; 0: it is ending, nothing to stop; -errno. */
static int seize(struct tracer *tr, const struct target *t, pid_t tid, struct fault *f)
{
	struct tracee *tracee;
	pid_t other = 0;
	char state;
	int err;

	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL)) {
		err = errno;
		/* EPERM is also the answer for a thread that has begun to end */
		if (thread_state(t, tid, &state, &other) || state == 'Z' || state == 'X')
			return 0;
		if (err == ESRCH)
			return 0;
		return fault_seize(t, err, other, f);
	}
	if (!tr->begin_ns)
		tr->begin_ns = clock_monotonic_ns();
	tracee = tracee_of(tr, tid);
	if (!tracee)
		tracee = add_tracee(tr, tid);
	if (!tracee)
		return fault_errno(f, ENOMEM, "stopping process %d", t->pid);
	*tracee = (struct tracee){.tid = tid};
	ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	return 1;
}

/* Looks without waiting. True: there was something to see. */
static bool collect(struct tracee *tracee)
{
	int status;
	pid_t n = waitpid(tracee->tid, &status, __WALL | WNOHANG);

	if (!n || (n < 0 && errno == EINTR))
		return false;
	if (n < 0 || !WIFSTOPPED(status)) { /* another thread's exec takes threads away unseen */
		tracee->gone = true;
		return true;
	}
	tracee->stopped = true;
	tracee->signal = status >> 16 ? 0 : WSTOPSIG(status);
	return true;
}

static int wait_stopped(const struct target *t, struct tracee *tracee, struct fault *f)
{
	int64_t deadline = clock_monotonic_ns() + STOP_TIMEOUT_NS;
	struct timespec nap = {.tv_nsec = 20000};
	pid_t tracer;
	char state;

	while (!collect(tracee)) {
		if (clock_monotonic_ns() > deadline) {
			bool runs = !thread_state(t, tracee->tid, &state, &tracer) && state == 'R';

			fault_set(f, ETIMEDOUT, "thread %d of process %d did not stop within 2 s",
				  tracee->tid, t->pid);
			fault_hint(f, "it %s; nothing was left stopped",
				   runs ? "gets no CPU to do so"
					: "waits uninterruptibly (a disk, NFS, a vfork child)");
			return -ETIMEDOUT;
		}
		nanosleep(&nap, NULL);
		nap.tv_nsec = min(nap.tv_nsec * 2, 2000000L);
	}
	return 0;
}

/*
 * One look at /proc/PID/task: seizes threads that are new. A leader's id passes to another thread
 * when that one calls exec, hence the look at those that should be stopped. Returns how many
 * threads were not stopped before, or -errno.
 */
static int seize_new(struct tracer *tr, const struct target *t, struct fault *f)
{
	_cleanup_dir_ DIR *task = NULL;
	struct dirent *e;
	int fd, nr = 0;

	fd = openat(t->proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		task = fdopendir(fd);
	if (!task) {
		int err = errno;

		if (fd >= 0)
			close(fd);
		if (err == ENOENT || err == ESRCH)
			return fault_set(f, ESRCH, "process %d has ended", t->pid);
		return fault_errno(f, err, "/proc/%d/task", t->pid);
	}
	while ((e = readdir(task))) {
		pid_t tid = proc_parse_pid(e->d_name), tracer_pid;
		struct tracee *known = tid ? tracee_of(tr, tid) : NULL;
		char state;
		int n;

		if (!tid)
			continue;
		if (known && !known->gone) {
			if (thread_state(t, tid, &state, &tracer_pid) || state == 't' ||
			    state == 'Z' || state == 'X')
				continue;
			known->stopped = false;
			if (tracer_pid == getpid()) {
				ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
				nr++;
				continue;
			}
		}
		if (tr->nr >= TRACER_THREADS_MAX)
			return fault_set(f, E2BIG, "process %d has more than %u threads", t->pid,
					 TRACER_THREADS_MAX);
		n = seize(tr, t, tid, f);
		if (n < 0)
			return n;
		nr += n;
	}
	return nr;
}

int tracer_stop(struct tracer *tr, const struct target *t, struct fault *f)
{
	int64_t deadline = clock_monotonic_ns() + TOTAL_TIMEOUT_NS;

	for (int pass = 0; pass < PASSES_MAX && clock_monotonic_ns() < deadline; pass++) {
		int nr = seize_new(tr, t, f);
		bool any = false;

		if (nr < 0)
			return nr;
		for (size_t i = 0; i < tr->nr; i++) {
			int err = 0;

			if (!tr->v[i].stopped && !tr->v[i].gone)
				err = wait_stopped(t, &tr->v[i], f);
			if (err)
				return err;
			any |= tr->v[i].stopped && !tr->v[i].gone;
		}
		/* Only a running thread can start another one: nobody runs, nobody is missing. */
		if (!nr && any)
			return 0;
		if (!nr && target_ended(t))
			return fault_set(f, ESRCH, "process %d has ended", t->pid);
	}
	return fault_set(f, ETIMEDOUT, "process %d starts threads faster than they can be stopped",
			 t->pid);
}

void tracer_release(struct tracer *tr)
{
	for (size_t i = 0; i < tr->nr; i++) {
		struct tracee *tracee = &tr->v[i];

		if (tracee->gone || !tracee->stopped)
			continue;
		/*
		 * Fails if the thread was killed meanwhile: then it ends, and the wait lets its
		 * parent, or the kernel, bury it.
		 */
		if (ptrace(PTRACE_DETACH, tracee->tid, NULL, (void *)(long)tracee->signal))
			collect(tracee);
	}
	free(tr->v);
	*tr = (struct tracer){0};
}
