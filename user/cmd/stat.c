/* SPDX-License-Identifier: MIT */
/*
 * `stat`, the default: attach, say where it stands, then what changes, then the total.
 * One loop over one poll(2): signals, the interval's timer, the total time, and what BPF reports.
 */
#include "cmd/cmd.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "cmd/launch.h"
#include "cmd/stat_report.h"
#include "cmd/watch.h"
#include "target/elf.h"
#include "target/target.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#define MAX_WATCHED	4096
#define STARTING_POLL_MS 20   /* how often an interpreter that is starting is looked at */
#define STARTING_LOOKS	 1500 /* for 30 s; then with each report */
#define NEWBORN_NS	 300000000 /* a child that lives longer without exec is announced */

struct stat_run {
	const struct options *o;
	struct trace *trace;
	struct watched **watched;
	size_t nr;
	struct stat_reporter out;
	struct launch launch;
	bool launched, launch_ended;
	int launch_status;
	int signals, interval, total_time, newborn; /* fds */
	uint64_t reports;
	unsigned int looks;
	bool begun, stop;
	uint64_t not_watched; /* children past MAX_WATCHED */
};

static struct watched *find(struct stat_run *r, pid_t pid)
{
	for (size_t i = 0; i < r->nr; i++)
		if (r->watched[i]->process.target &&
		    r->watched[i]->process.target->pid == pid &&
		    r->watched[i]->phase != WATCH_ENDED)
			return r->watched[i];
	return NULL;
}

static int add(struct stat_run *r, pid_t pid, uint32_t flags, struct watched **ret, struct fault *f)
{
	struct watched **more, *w;
	int err;

	if (r->nr >= MAX_WATCHED) {
		r->not_watched++;
		return fault_set(f, E2BIG, "more than %d processes", MAX_WATCHED);
	}
	w = calloc(1, sizeof(*w));
	more = w ? realloc(r->watched, (r->nr + 1) * sizeof(*more)) : NULL;
	if (!more) {
		free(w);
		return fault_set(f, ENOMEM, "no memory");
	}
	r->watched = more;
	err = watch_open(w, r->trace, pid, r->o, flags, f);
	if (err) {
		free(w);
		return err;
	}
	r->watched[r->nr++] = w;
	if (ret)
		*ret = w;
	return 0;
}

static void arm(int timer, uint64_t first_ns, uint64_t every_ns)
{
	struct itimerspec t = {
		.it_value = {(time_t)(first_ns / 1000000000), (long)(first_ns % 1000000000)},
		.it_interval = {(time_t)(every_ns / 1000000000), (long)(every_ns % 1000000000)},
	};

	timerfd_settime(timer, 0, &t, NULL);
}

/* The first moment; from here on there is something to report. */
static void begin(struct stat_run *r, struct watched *w)
{
	struct fault f = {0};

	if (w->phase != WATCH_RUNNING || w->has_base)
		return;
	if (watch_sample(w, r->trace, r->o, NULL, &f)) {
		if (!target_ended(w->process.target))
			stat_report_problem(&r->out, w, &f);
		return;
	}
	/* intervals count from the first that there is to report, not from a launcher's start */
	if (!r->begun) {
		r->begun = true;
		arm(r->interval, r->o->interval_ns, r->o->interval_ns);
	}
}

/* Header and state line, once. */
static void announce(struct stat_run *r, struct watched *w)
{
	if (!w->has_base || w->announced)
		return;
	w->announced = true;
	stat_report_begin(&r->out, w);
}

static void announce_all(struct stat_run *r)
{
	for (size_t i = 0; i < r->nr; i++)
		announce(r, r->watched[i]);
	stat_report_flush(&r->out, r->trace);
}

static void end(struct stat_run *r, struct watched *w, int wait_status)
{
	if (w->phase == WATCH_ENDED)
		return;
	w->wait_status = wait_status;
	watch_end(w, r->trace);
	announce(r, w);
	if (w->has_base)
		stat_report_end(&r->out, w);
}

/* One report of each process; returns how many had something to report. */
static size_t tick(struct stat_run *r)
{
	size_t reported = 0;

	for (size_t i = 0; i < r->nr; i++) {
		struct watched *w = r->watched[i];
		struct moment prev = {0};
		struct fault f = {0};

		if (w->phase == WATCH_ENDED)
			continue;
		if (target_ended(w->process.target)) {
			end(r, w, 0);
			continue;
		}
		if (w->phase == WATCH_STARTING)
			watch_look(w, r->trace, r->o, &f);
		if (w->phase != WATCH_RUNNING)
			continue;
		if (!w->has_base) {
			begin(r, w);
			announce(r, w);
			continue;
		}
		announce(r, w);
		if (watch_sample(w, r->trace, r->o, &prev, &f)) {
			if (!target_ended(w->process.target))
				stat_report_problem(&r->out, w, &f);
			continue;
		}
		stat_report_change(&r->out, w, &prev);
		moment_done(&prev);
		reported++;
	}
	stat_report_flush(&r->out, r->trace);
	return reported;
}

/* A stopped child that is about to run its program: the libraries are not mapped yet. */
static void on_exec(struct stat_run *r, struct watched *w)
{
	struct fault f = {0};

	/* what a child was between fork and exec is its parent's doing, and no news */
	if (w->announced)
		stat_report_exec(&r->out, w);
	moment_done(&w->base);
	moment_done(&w->last);
	w->has_base = w->announced = false;
	w->state_disagreed = 0;
	watch_look(w, r->trace, r->o, &f);
	if (w->phase == WATCH_IDLE && w->flags & PMT_STOP_EXEC) {
		/* perhaps its interpreter is a library that ld.so will map: stop it once more,
		 * where the program itself begins */
		_cleanup_fd_ int exe = openat(w->process.target->proc_fd, "exe",
					      O_RDONLY | O_CLOEXEC);
		struct elf_file *elf = NULL;
		uint64_t offset;

		if (exe >= 0 && !elf_file_open(&elf, exe, "exe", NULL, &f) &&
		    !elf_file_offset(elf, elf_file_entry(elf), &offset))
			trace_stop_at(r->trace, w->process.target->pid, exe, offset, &f);
		elf_file_close(elf);
	}
	w->from_start = w->flags & PMT_STOP_EXEC;
	if (w->phase == WATCH_STARTING)
		r->looks = 0;
	begin(r, w);
	announce(r, w);
	if (w->flags & PMT_STOP_EXEC)
		kill(w->process.target->pid, SIGCONT);
}

static void on_entry(struct stat_run *r, struct watched *w)
{
	struct fault f = {0};

	watch_look(w, r->trace, r->o, &f);
	if (w->phase == WATCH_STARTING)
		r->looks = 0;
	kill(w->process.target->pid, SIGCONT);
}

static void on_fork(struct stat_run *r, pid_t pid, pid_t parent)
{
	struct watched *of = find(r, parent), *w;
	struct fault f = {0};

	/* process_matches() is asked once it is known what it runs */
	if (find(r, pid) || add(r, pid, of ? of->flags : PMT_FOLLOW, &w, &f))
		return;
	if (r->o->include || r->o->exclude)
		if (!process_matches(r->o, &w->process.id))
			w->phase = WATCH_IDLE;
	begin(r, w);
	arm(r->newborn, NEWBORN_NS, 0);
}

static void drain_events(struct stat_run *r)
{
	struct trace_event ev;

	while (trace_next(r->trace, &ev) > 0) {
		struct watched *w = find(r, ev.pid);

		if (ev.type == PMT_REC_FORK && ev.pid)
			on_fork(r, ev.pid, ev.parent);
		else if (ev.type == PMT_REC_EXEC && w)
			on_exec(r, w);
		else if (ev.type == PMT_REC_ENTRY && w)
			on_entry(r, w);
		else if (ev.type == PMT_REC_EXIT && w)
			end(r, w, ev.status);
	}
}

static bool any_starting(struct stat_run *r)
{
	bool any = false;

	for (size_t i = 0; i < r->nr; i++)
		any |= r->watched[i]->phase == WATCH_STARTING;
	return any && r->looks < STARTING_LOOKS;
}

static void look_at_starting(struct stat_run *r)
{
	struct fault f = {0};

	r->looks++;
	for (size_t i = 0; i < r->nr; i++) {
		struct watched *w = r->watched[i];

		if (w->phase != WATCH_STARTING)
			continue;
		watch_look(w, r->trace, r->o, &f);
		begin(r, w);
		announce(r, w);
	}
}

static void on_signal(struct stat_run *r)
{
	struct signalfd_siginfo si;

	while (read(r->signals, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGCHLD) {
			if (r->launched && waitpid(r->launch.pid, &r->launch_status, WNOHANG) ==
						   r->launch.pid)
				r->launch_ended = true;
			continue;
		}
		/* the terminal sends Ctrl-C to the program too; others are for us alone */
		if (r->launched && !r->launch_ended && si.ssi_signo != SIGINT && !r->stop)
			kill(r->launch.pid, (int)si.ssi_signo);
		r->stop = true;
	}
}

static bool all_ended(const struct stat_run *r)
{
	if (r->launched && !r->launch_ended)
		return false;
	for (size_t i = 0; i < r->nr; i++)
		if (r->watched[i]->phase != WATCH_ENDED && r->watched[i]->phase != WATCH_IDLE)
			return false;
	return true;
}

static bool expired(int fd)
{
	uint64_t times;

	return read(fd, &times, sizeof(times)) == sizeof(times);
}

static void loop(struct stat_run *r)
{
	while (!r->stop && !all_ended(r) && !r->out.broken) {
		struct pollfd fds[] = {
			{.fd = r->signals, .events = POLLIN},
			{.fd = r->interval, .events = POLLIN},
			{.fd = r->total_time, .events = POLLIN},
			{.fd = r->newborn, .events = POLLIN},
			{.fd = trace_event_fd(r->trace), .events = POLLIN},
		};

		if (poll(fds, ARRAY_SIZE(fds), any_starting(r) ? STARTING_POLL_MS : -1) < 0 &&
		    errno != EINTR)
			break;
		on_signal(r);
		drain_events(r);
		if (any_starting(r))
			look_at_starting(r);
		if (expired(r->newborn))
			announce_all(r);
		if (expired(r->interval)) {
			r->reports += tick(r) > 0;
			r->stop |= r->o->reports && r->reports >= r->o->reports;
		}
		r->stop |= expired(r->total_time);
	}
}

/* Once more at the end, for the time since attach. */
static void totals(struct stat_run *r)
{
	drain_events(r);
	for (size_t i = 0; i < r->nr; i++) {
		struct watched *w = r->watched[i];
		struct fault f = {0};

		if (w->phase == WATCH_RUNNING && w->has_base &&
		    watch_sample(w, r->trace, r->o, NULL, &f) && target_ended(w->process.target))
			end(r, w, 0);
		if (w->has_base && !w->total_done)
			stat_report_total(&r->out, w);
	}
	stat_report_flush(&r->out, r->trace);
}

static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Opens the processes of -p. All must be there; each that is Python must be readable or say why. */
static int open_targets(struct stat_run *r, struct fault *f)
{
	uint32_t flags = r->o->children ? PMT_FOLLOW : 0;
	_cleanup_free_ pid_t *pids = NULL;
	int nr = process_select(r->o, &pids, f);

	if (nr < 0)
		return nr;
	for (int i = 0; i < nr; i++) {
		struct watched *w;
		int err;

		if (find(r, pids[i]))
			continue; /* a child that was followed before its turn came */
		err = add(r, pids[i], flags, &w, f);
		if (err && i >= (int)r->o->nr_pids)
			continue; /* a descendant that has ended meanwhile */
		if (err)
			return err;
		if (w->phase == WATCH_IDLE && i < (int)r->o->nr_pids && !r->o->children) {
			*f = w->process.why;
			return -f->err;
		}
		if (i >= (int)r->o->nr_pids && !process_matches(r->o, &w->process.id))
			w->phase = WATCH_IDLE;
	}
	return 0;
}

static int open_program(struct stat_run *r, struct fault *f)
{
	struct watched *w;
	int err = launch_prepare(&r->launch, r->o->program, r->o->as_root, f);

	if (err)
		return err;
	r->launched = true;
	err = add(r, r->launch.pid, PMT_FOLLOW | PMT_STOP_EXEC, &w, f);
	if (err)
		return err;
	report_note(r->o, "running %s%s%s", r->launch.file, r->launch.user[0] ? " as " : "",
		    r->launch.user);
	launch_go(&r->launch);
	return 0;
}

static void close_all(struct stat_run *r)
{
	trace_close(r->trace);
	for (size_t i = 0; i < r->nr; i++) {
		/* nothing of ours may stay stopped */
		if (r->watched[i]->flags & PMT_STOP_EXEC && r->watched[i]->phase != WATCH_ENDED &&
		    r->watched[i]->process.target)
			kill(r->watched[i]->process.target->pid, SIGCONT);
		watch_done(r->watched[i]);
		free(r->watched[i]);
	}
	free(r->watched);
	close(r->signals);
	close(r->interval);
	close(r->total_time);
	close(r->newborn);
}

/* The program's own status; it may go on for longer than we watch it. */
static int program_status(struct stat_run *r, int ours)
{
	int exec_error;

	if (!r->launch_ended)
		while (waitpid(r->launch.pid, &r->launch_status, 0) < 0 && errno == EINTR)
			;
	exec_error = launch_exec_error(&r->launch);
	if (exec_error) {
		struct fault f = {0};

		fault_errno(&f, exec_error, "%s", r->launch.file);
		report_fault(&f);
		return exec_error == ENOENT ? 127 : 126;
	}
	if (launch_exit_status(r->launch_status))
		return launch_exit_status(r->launch_status);
	return ours;
}

static int run(const struct options *o)
{
	struct stat_run r = {
		.o = o,
		.launch = {.go_fd = -1, .failed_fd = -1},
		.signals = -1,
		.interval = -1,
		.total_time = -1,
		.newborn = -1,
	};
	struct trace_options to = {.pools = true, .programs = true};
	struct fault f = {0};
	int err, status;

	err = stat_report_open(&r.out, o, &f);
	if (err)
		return report_fault(&f);
	r.signals = block_signals();
	r.interval = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	r.total_time = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	r.newborn = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	err = trace_open(&r.trace, &to, &f);
	if (!err)
		err = o->program ? open_program(&r, &f) : open_targets(&r, &f);
	if (!err) {
		for (size_t i = 0; i < r.nr; i++)
			begin(&r, r.watched[i]);
		announce_all(&r);
		if (o->duration_ns)
			arm(r.total_time, o->duration_ns, 0);
		loop(&r);
		totals(&r);
	}
	close_all(&r);
	status = err ? report_fault(&f) : EXIT_OK;
	if (err)
		stat_report_abort(&r.out);
	else
		status = stat_report_close(&r.out);
	if (r.launched && !err)
		status = program_status(&r, status);
	else if (o->program && err)
		status = err == -ENOENT ? 127 : 125;
	launch_done(&r.launch);
	return status;
}

const struct command cmd_stat = {
	.name = "stat",
	.summary = "Changes of RSS, arenas and pools while they happen",
	.args_doc = "-p PID[,PID...] [OPTION...]\n       pymemtrace-bpf stat [OPTION...] -- PROGRAM [ARG...]",
	.doc = "First where it stands, then every -i seconds (5) what changed, until -n, -d, Ctrl-C or\n"
	       "its end, and once more the change since attach. Sizes of a process's text pages grow\n"
	       "by 4 KiB a probe; nothing else is added to it.\n",
	.takes = OPT_PID | OPT_CHILDREN | OPT_INTERVAL | OPT_REPORTS | OPT_DURATION | OPT_OUTPUT |
		 OPT_FORMAT | OPT_PAUSE | OPT_STRICT | OPT_GLOB | OPT_PROGRAM,
	.formats = "text json",
	.run = run,
};
