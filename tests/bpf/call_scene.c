/* SPDX-License-Identifier: MIT */
#include "call_scene.h"

#include "base/cleanup.h"
#include "pymemtrace.skel.h"
#include "trace/session.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

static void on_code(void *ctx, const struct pmt_code_rec *r)
{
	struct call_scene *s = ctx;

	assert_in_range(r->id, 1, MAX_CALL_IDS - 1);
	s->fn_of[r->id] = r->first_line - 1;
	s->nr_codes++;
}

static void on_stack(void *ctx, const struct pmt_stack_rec *r)
{
	fail_msg("a stack was walked");
}

static void on_child(void *ctx, const struct pmt_child_rec *r)
{
}

static bool entries_only;

void scene_attach(struct call_scene *s, pid_t pid)
{
	static const enum pmt_call_site of_eval[] = {PMT_SITE_ENTER, PMT_SITE_LEAVE};
	/* entries first: all there is where exits are not probed */
	static const enum pmt_call_site of_handlers[] = {PMT_SITE_RESUME, PMT_SITE_RESUME_CHECK,
							 PMT_SITE_RETURN, PMT_SITE_YIELD,
							 PMT_SITE_CLEAR};
	const bool eval = vm->style < STYLE_311;
	const enum pmt_call_site *roles = eval ? of_eval : of_handlers;
	const size_t nr = entries_only ? (eval ? 1 : 2) : eval ? 2 : ARRAY_SIZE(of_handlers);
	_cleanup_fd_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct trace_call_site sites[PMT_SITES] = {};
	struct fault f = {};
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	for (size_t i = 0; i < nr; i++)
		sites[i] = (struct trace_call_site){
			.offset = file_offset((const void *)(uintptr_t)vm_sites[roles[i]]),
			.role = roles[i],
			.exclusive = vm->exclusive && roles[i] == PMT_SITE_YIELD,
			.name = "a site",
		};
	assert_no_fault(
		trace_attach_calls(s->t, pid, fd, st.st_dev, st.st_ino, "the test", sites, nr, &f),
		f);
	assert_true(trace_calls_attached(s->t));
}

static const struct trace_calls everything = {.max_calls = 1024};
static struct trace *shared;

struct trace *open_calls_with(const struct trace_options *o)
{
	/* one at a time: each is to leave nothing behind */
	if (shared)
		close_session(shared);
	shared = NULL;
	entries_only = false;
	return open_session_with(o);
}

struct trace *open_calls(const struct trace_calls *calls)
{
	const struct trace_options o = {.calls = calls ?: &everything, .max_stacks = 1000};

	return open_calls_with(&o);
}

struct trace *open_calls_of_entries(void)
{
	struct trace *t = open_calls(NULL);

	entries_only = true;
	return t;
}

struct child start_vm(enum fake_style style)
{
	struct child child;
	char done;

	vm_init(style);
	child = child_start(vm_main);
	child_read(&child, &done, 1);
	return child;
}

struct call_scene scene_of(struct trace *t, struct child child, uint32_t flags)
{
	const struct pmt_walk walk = vm_walk();
	const struct pmt_target what = {.flags = flags};
	struct call_scene s = {.t = t, .child = child};
	struct fault f = {};

	assert_no_fault(trace_set_target(t, child.pid, &what, &f), f);
	assert_no_fault(trace_set_walk(t, child.pid, &walk, &f), f);
	s.tgid = trace_tgid(t, child.pid);
	scene_attach(&s, child.pid);
	assert_int_equal(trace_read_call_counts(t, s.before), 0);
	trace_collect_calls(t, true);
	return s;
}

struct call_scene scene_in(struct trace *t, enum fake_style style)
{
	return scene_of(t, start_vm(style), 0);
}

struct call_scene scene_begin(enum fake_style style)
{
	if (!shared)
		shared = open_calls(NULL);
	return scene_in(shared, style);
}

void scene_close(struct call_scene *s)
{
	assert_int_equal(child_end(&s->child), 0);
	/* no other child lives */
	assert_int_equal(count_entries(s->t, "call_threads"), 0);
	assert_int_equal(count_entries(s->t, "opened"), 0);
	trace_detach_calls(s->t);
	assert_false(trace_calls_attached(s->t));
	assert_int_equal(trace_remove_target(s->t, s->child.pid), 0);
}

int scenes_set_up(void **state)
{
	return vm_map() ? 0 : -1;
}

int scenes_tear_down(void **state)
{
	if (shared)
		close_session(shared);
	shared = NULL;
	return 0;
}

void run_begin(struct call_scene *s, void (*what)(void))
{
	child_write(&s->child, &what, sizeof(what));
}

bool run_is_over(const struct call_scene *s)
{
	struct pollfd p = {.fd = s->child.from, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

void run_end(struct call_scene *s)
{
	char done;

	child_read(&s->child, &done, 1);
}

void run(struct call_scene *s, void (*what)(void))
{
	run_begin(s, what);
	run_end(s);
}

static void on_call(void *ctx, const struct trace_call_sum *sum)
{
	struct call_scene *s = ctx;

	if (sum->tgid != s->tgid && sum->tgid != s->fork_tgid)
		return;
	assert_in_range(s->nr_rows, 0, MAX_CALL_ROWS - 1);
	s->rows[s->nr_rows++] = *sum;
}

void look(struct call_scene *s)
{
	const struct trace_sink sink = {
		.code = on_code, .stack = on_stack, .child = on_child, .ctx = s};
	struct fault f = {};
	int64_t sum = 0;

	assert_int_equal(trace_read_stacks(s->t, &sink), 0);
	s->nr_rows = 0;
	assert_int_equal(trace_read_calls(s->t, on_call, s), 0);
	assert_int_equal(trace_read_call_counts(s->t, s->n), 0);
	for (int i = 0; i < PMT_CALL_COUNTS; i++)
		s->n[i] -= s->before[i];
	assert_no_fault(trace_read(s->t, s->child.pid, &s->counts, &f), f);
	for (unsigned int i = 0; i < s->nr_rows; i++)
		if (s->rows[i].tgid == s->tgid)
			sum += (int64_t)(s->rows[i].growth - s->rows[i].shrink);
	for (int i = 0; i < PMT_CAUSES; i++) {
		const struct pmt_change *c = &s->counts.counts.causes[PMT_ON_RSS][i];

		s->causes[i] = (int64_t)(c->growth - c->shrink) / PAGE;
		sum += (int64_t)(c->growth - c->shrink);
	}
	assert_int_equal(sum, s->counts.rss.anon + s->counts.rss.file + s->counts.rss.shmem -
				      s->counts.rss_begin);
}

struct trace_call_sum sum_of(const struct call_scene *s, unsigned int fn, uint32_t tid)
{
	struct trace_call_sum sum = {.fn = fn, .tid = tid, .largest = INT64_MIN};

	for (unsigned int i = 0; i < s->nr_rows; i++) {
		const struct trace_call_sum *r = &s->rows[i];

		if ((r->fn ? s->fn_of[r->fn] : NO_FUNCTION) != fn ||
		    (tid && r->tid != tid && r->tgid != tid))
			continue;
		sum.calls += r->calls;
		sum.resumes += r->resumes;
		sum.returns += r->returns;
		sum.yields += r->yields;
		sum.unwinds += r->unwinds;
		sum.lost += r->lost;
		sum.open += r->open;
		sum.growth += r->growth;
		sum.shrink += r->shrink;
		sum.total += r->total;
		sum.largest = max(sum.largest, r->largest);
		sum.arenas += r->arenas;
		sum.pools += r->pools;
		sum.self_ns += r->self_ns;
		sum.total_ns += r->total_ns;
	}
	return sum;
}

void expect(const struct call_scene *s, unsigned int fn, uint32_t tid, const struct want *w,
	    const char *file, int line)
{
	const struct trace_call_sum sum = sum_of(s, fn, tid);
	const struct {
		const char *name;
		int64_t got, want;
	} figures[] = {
		{"calls", sum.calls, w->calls},
		{"resumes", sum.resumes, w->resumes},
		{"returns", sum.returns, w->returns},
		{"yields", sum.yields, w->yields},
		{"unwinds", sum.unwinds, w->unwinds},
		{"lost", sum.lost, w->lost},
		{"open", sum.open, w->open},
		{"pages grown", sum.growth / PAGE, w->grew},
		{"pages shrunk", sum.shrink / PAGE, w->shrank},
		{"total", sum.total / PAGE, w->total},
		{"largest", sum.largest == INT64_MIN ? NO_PAGES : sum.largest / PAGE, w->largest},
	};

	for (size_t i = 0; i < ARRAY_SIZE(figures); i++)
		if (figures[i].got != figures[i].want)
			fail_msg("%s:%d: style %d, function %u, %s: %lld, not %lld", file, line,
				 vm->style, fn, figures[i].name, (long long)figures[i].got,
				 (long long)figures[i].want);
}

void assert_losses(const struct call_scene *s, enum pmt_call_count which, uint64_t n)
{
	for (enum pmt_call_count i = PMT_CALL_REPEATED; i < PMT_CALL_COUNTS; i++)
		if (s->n[i] != (i == which ? n : 0))
			fail_msg("style %d: %llu %s, not %llu", vm->style,
				 (unsigned long long)s->n[i], trace_call_count_text(i),
				 (unsigned long long)(i == which ? n : 0));
}

void assert_no_losses(const struct call_scene *s)
{
	assert_losses(s, PMT_CALL_COUNTS, 0);
}

size_t count_entries(const struct trace *t, const char *map)
{
	const struct bpf_map *m = bpf_object__find_map_by_name(t->skel->obj, map);
	unsigned char key[64];
	void *from = NULL;
	size_t n = 0;

	assert_non_null(m);
	assert_in_range(bpf_map__key_size(m), 1, sizeof(key));
	while (!bpf_map_get_next_key(bpf_map__fd(m), from, key)) {
		from = key;
		n++;
	}
	return n;
}
