/* SPDX-License-Identifier: MIT */
/*
 * Profiles made by hand, for the tests of their outputs: a web service with its background thread and
 * a worker, causes, and names that try to break markup, scripts, terminals and tables.
 */
#ifndef PMT_TESTS_SAMPLE_PROFILE_H
#define PMT_TESTS_SAMPLE_PROFILE_H

#include "base/cleanup.h"
#include "model/profile.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLE_BEGIN_NS 1700000000000000000
#define SAMPLE_PID	4242
#define SAMPLE_WORKER	4250

/* A hostile process chooses its names; valid UTF-8 is all that is promised. */
static const char *const sample_hostile[] = {
	"</title></g><script>alert(1)</script>",
	"]]></script><svg onload=\"alert('x')\">",
	"&amp;\"quoted\" 'single' <T>",
	"\x1b[31mred\x1b[0m\nsecond line\ttab",
	"\xe2\x80\xae\xef\xbf\xbe\xef\xbf\xbf\xef\xbb\xbf",
	"\xe5\x86\x85\xe5\xad\x98\xe5\xa2\x9e\xe9\x95\xbf \xf0\x9f\x90\x8d na\xc3\xafve",
	"a;b c",
	"",
};

struct sample_frame {
	const char *name, *file;
	int32_t first_line, line;
	enum profile_function_kind kind;
};

static inline int sample_row(struct profile *p, const struct sample_frame *root_first, uint32_t nr,
			     bool truncated, const struct profile_thread *thread,
			     enum profile_event event, struct profile_change change)
{
	struct profile_frame frames[PROFILE_MAX_FRAMES];
	struct profile_row row = {.event = event,
				  .change = change,
				  .first_ns = SAMPLE_BEGIN_NS + 1000000,
				  .last_ns = SAMPLE_BEGIN_NS + 2000000};
	int err = 0;

	for (uint32_t i = 0; i < nr && !err; i++) {
		struct profile_function f = {.kind = root_first[i].kind,
					     .name = (char *)root_first[i].name,
					     .file = (char *)root_first[i].file,
					     .first_line = root_first[i].first_line};

		frames[nr - 1 - i].line = root_first[i].line;
		err = profile_add_function(p, &f, &frames[nr - 1 - i].function);
	}
	if (!err)
		err = profile_add_stack(p, frames, nr, truncated, &row.stack);
	if (!err)
		err = profile_add_thread(p, thread, &row.thread);
	return err ? err : profile_add_row(p, &row);
}

#define SAMPLE_ROW(p, thread, event, truncated, growth, shrink, nr_events, ...)               \
	({                                                                                    \
		const struct sample_frame frames_[] = {__VA_ARGS__};                          \
		const struct profile_change change_ = {(growth), (shrink), (nr_events)};      \
		sample_row((p), frames_, ARRAY_SIZE(frames_), (truncated), (thread), (event), \
			   change_);                                                          \
	})

#define MIB (1 << 20)
#define MODULE                                                         \
	{                                                              \
		"<module>", "/srv/shop/app.py", 1, 210, PROFILE_PYTHON \
	}
#define SERVE                                                                            \
	{                                                                                \
		"Server.serve_forever", "/usr/lib/python3.12/socketserver.py", 220, 238, \
			PROFILE_PYTHON                                                   \
	}
#define DISPATCH                                                                                \
	{                                                                                       \
		"Router.dispatch", "/srv/shop/venv/lib/python3.12/site-packages/web/router.py", \
			88, 117, PROFILE_PYTHON                                                 \
	}
#define LIST                                                                       \
	{                                                                          \
		"list_orders", "/srv/shop/views/orders.py", 31, 44, PROFILE_PYTHON \
	}
#define LOADS                                                                             \
	{                                                                                 \
		"loads", "/usr/lib/python3.12/json/__init__.py", 299, 346, PROFILE_PYTHON \
	}
#define DECODE                                                                             \
	{                                                                                  \
		"JSONDecoder.raw_decode", "/usr/lib/python3.12/json/decoder.py", 344, 353, \
			PROFILE_PYTHON                                                     \
	}
#define THREAD                                                                       \
	{                                                                            \
		"Thread._bootstrap", "/usr/lib/python3.12/threading.py", 1014, 1030, \
			PROFILE_PYTHON                                               \
	}
#define RUN                                                                   \
	{                                                                     \
		"Refresher.run", "/srv/shop/cache.py", 12, 40, PROFILE_PYTHON \
	}

static inline int sample_stacks(struct profile *p)
{
	const struct profile_thread main_thread = {SAMPLE_PID, SAMPLE_PID, "python3"};
	const struct profile_thread refresher = {SAMPLE_PID, 4243, "refresh <1>"};
	const struct profile_thread worker = {SAMPLE_WORKER, SAMPLE_WORKER, "python3"};
	int err = 0;

	err |= SAMPLE_ROW(p, &main_thread, PROFILE_RSS, false, 96 * MIB + 4096, 12 * MIB, 768,
			  MODULE, SERVE, DISPATCH, LIST, LOADS, DECODE);
	err |= SAMPLE_ROW(p, &main_thread, PROFILE_RSS, false, 21 * MIB, 2 * MIB, 168, MODULE,
			  SERVE, DISPATCH, LIST,
			  {"list_orders.<locals>.<listcomp>", "/srv/shop/views/orders.py", 47, 47,
			   PROFILE_PYTHON});
	err |= SAMPLE_ROW(p, &main_thread, PROFILE_RSS, false, 18 * MIB, 0, 144, MODULE, SERVE,
			  DISPATCH,
			  {"thumbnail", "/srv/shop/views/images.py", 9, 22, PROFILE_PYTHON},
			  {"libjpeg.so.62.3.0", "", 0, 0, PROFILE_NATIVE});
	err |= SAMPLE_ROW(p, &main_thread, PROFILE_RSS, false, 3 * MIB, 0, 24, MODULE, SERVE,
			  DISPATCH, LIST, {"", "", 0, 0, PROFILE_UNNAMED});
	err |= SAMPLE_ROW(p, &main_thread, PROFILE_RSS, false, 9 * MIB, 0, 72, MODULE,
			  {"load_catalogue", "/srv/shop/app.py", 60, 71, PROFILE_PYTHON});
	err |= SAMPLE_ROW(p, &refresher, PROFILE_RSS, false, 14 * MIB, 31 * MIB, 360, THREAD, RUN,
			  {"Cache.evict", "/srv/shop/cache.py", 90, 97, PROFILE_PYTHON});
	err |= SAMPLE_ROW(p, &refresher, PROFILE_RSS, true, 6 * MIB, 0, 48,
			  {"walk", "/srv/shop/tree.py", 5, 9, PROFILE_PYTHON},
			  {"walk", "/srv/shop/tree.py", 5, 9, PROFILE_PYTHON},
			  {"walk", "/srv/shop/tree.py", 5, 7, PROFILE_PYTHON});
	err |= SAMPLE_ROW(p, &worker, PROFILE_RSS, false, 11 * MIB, 7 * MIB, 144, MODULE,
			  {"Worker.run", "/srv/shop/worker.py", 15, 33, PROFILE_PYTHON});
	err |= SAMPLE_ROW(p, &main_thread, PROFILE_ARENA, false, 64 * MIB, 3 * MIB, 67, MODULE,
			  SERVE, DISPATCH, LIST, LOADS, DECODE);
	return err;
}

static inline int sample_causes(struct profile *p)
{
	struct profile_process *of;
	int err = profile_add_process(p, SAMPLE_PID, &of);

	if (err)
		return err;
	free(of->command);
	free(of->python);
	of->command = strdup("/srv/shop/venv/bin/python3 app.py --port 8080");
	of->python = strdup("CPython 3.12.1");
	of->rss_before = 181 * (int64_t)MIB;
	of->rss_after = of->rss_before + 131 * (int64_t)MIB + 4096;
	of->causes[PROFILE_RSS][PROFILE_NO_THREAD] = (struct profile_change){5 * MIB, 1 * MIB, 48};
	of->causes[PROFILE_RSS][PROFILE_REMAINDER] = (struct profile_change){.growth = 65536};
	of->causes[PROFILE_ARENA][PROFILE_NO_FRAME] = (struct profile_change){1 * MIB, 0, 1};
	if (!of->command || !of->python)
		return -1;
	err = profile_add_process(p, SAMPLE_WORKER, &of);
	if (err)
		return err;
	free(of->command);
	of->command = strdup("/srv/shop/venv/bin/python3 worker.py");
	of->rss_before = 40 * (int64_t)MIB;
	of->rss_after = 44 * (int64_t)MIB + 12288;
	of->causes[PROFILE_RSS][PROFILE_OTHER_TASK] = (struct profile_change){12288, 0, 3};
	return of->command ? 0 : -1;
}

/* One stack below the other, each with a name that tries something. */
static inline int sample_hostile_stacks(struct profile *p)
{
	const struct profile_thread t = {SAMPLE_PID, 4999, "</text><x>&\x01"};
	struct sample_frame frames[ARRAY_SIZE(sample_hostile)];
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sample_hostile); i++) {
		frames[i] =
			(struct sample_frame){sample_hostile[i], sample_hostile[i], -1, INT32_MAX,
					      i % 2 ? PROFILE_NATIVE : PROFILE_PYTHON};
		err |= sample_row(p, frames, (uint32_t)i + 1, false, &t, PROFILE_RSS,
				  (struct profile_change){4 * MIB, 2 * MIB, 48});
	}
	return err;
}

/* So many stacks of 20 .. 60 frames over 400 functions, the widths of which span many powers of 2. */
static inline int sample_many_stacks(struct profile *p, uint32_t nr)
{
	const struct profile_thread t = {SAMPLE_PID, SAMPLE_PID, "python3"};
	uint64_t x = 88172645463325252; /* xorshift64: the same on every machine */
	int err = 0;

	for (uint32_t i = 0; i < nr && !err; i++) {
		struct sample_frame frames[60];
		char names[60][32], files[60][32];
		uint32_t depth;

		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		depth = 20 + x % 41;
		for (uint32_t d = 0; d < depth; d++) {
			uint32_t which = (uint32_t)((x >> (d % 24)) % (d < 4 ? 2 : 12) + d * 6);

			snprintf(names[d], sizeof(names[d]), "step_%u", which);
			snprintf(files[d], sizeof(files[d]), "/srv/big/module_%u.py", which % 17);
			frames[d] =
				(struct sample_frame){names[d], files[d], 10, 12, PROFILE_PYTHON};
		}
		err = sample_row(p, frames, depth, false, &t, PROFILE_RSS,
				 (struct profile_change){(int64_t)4096 << (x >> 40) % 12,
							 (x >> 50) % 3 ? 0 : 8192, 1});
	}
	return err;
}

/* NULL when memory ran out. */
static inline struct profile *sample_profile(bool exact)
{
	struct profile *p = profile_new();

	if (!p)
		return NULL;
	free(p->host);
	free(p->program);
	p->host = strdup("Linux 6.18.44 x86_64, shop-1");
	p->program = strdup("pymemtrace-bpf 0.1.0");
	p->begin_ns = SAMPLE_BEGIN_NS;
	p->end_ns = SAMPLE_BEGIN_NS + 60000000000;
	p->exact = exact;
	p->step_pages = exact ? 1 : 32;
	p->page_bytes = 4096;
	p->events = 1 << PROFILE_RSS | 1 << PROFILE_ARENA;
	if (!p->host || !p->program || sample_stacks(p) || sample_causes(p)) {
		profile_free(p);
		return NULL;
	}
	profile_balance(p);
	return p;
}

#endif
