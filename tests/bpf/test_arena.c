/* SPDX-License-Identifier: MIT */
/*
 * Arenas, chunks and pools as BPF counts them are what the fake interpreter says it has called.
 */
#include "bpf_test.h"

#include "base/cleanup.h"
#include "fake_interp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct fake {
	struct child child;
	struct fake_hello hello;
	struct fake_tally tally;
	struct trace *trace;
};

enum version { BEFORE_312, SINCE_312 };

static struct fake fake_start(struct trace *t)
{
	struct fake fake = {.trace = t};
	char path[4096];

	fake.child = child_exec(sibling("fake_interp", path), (char *[]){path, NULL});
	child_read(&fake.child, &fake.hello, sizeof(fake.hello));
	return fake;
}

static void fake_attach(const struct fake *fake, enum version version)
{
	const struct fake_hello *h = &fake->hello;
	char path[4096];
	_cleanup_fd_ int fd = open(sibling("fake_interp", path), O_RDONLY | O_CLOEXEC);
	struct trace_sites sites = {
		.file_fd = fd,
		.file_name = path,
		.arena_alloc = h->arena_alloc,
		.arena_free = h->arena_free,
		.new_pool = version == SINCE_312 ? h->new_pool : h->new_pool_old,
	};
	struct fault f = {};
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	sites.dev = st.st_dev;
	sites.inode = st.st_ino;
	assert_no_fault(trace_attach_file(fake->trace, &sites, &f), f);
	/* A second time must not count twice. */
	assert_no_fault(trace_attach_file(fake->trace, &sites, &f), f);
}

static void fake_target(const struct fake *fake, enum version version)
{
	const struct fake_hello *h = &fake->hello;
	struct pmt_target what = {
		.arena_size = FAKE_ARENA_SIZE,
		.ntimes_addr = h->ntimes,
		.narenas_addr = h->narenas,
	};
	struct fault f = {};

	if (version == SINCE_312) {
		what.interp_addr = h->main_interp;
		what.obmalloc_addr = h->obmalloc;
		what.flags = PMT_POOL_ARG2;
		what.interp_gil = h->interp_gil;
		what.interp_feature_flags = h->interp_feature_flags;
		what.tstate_interp = h->tstate_interp;
		what.tstate_thread_id = h->tstate_thread_id;
		what.gil_last_holder = h->gil_last_holder;
		what.gil_locked = h->gil_locked;
	}
	assert_no_fault(trace_set_target(fake->trace, fake->child.pid, &what, &f), f);
}

static void tell(struct fake *fake, enum fake_what what, unsigned n, unsigned arg)
{
	struct fake_command c = {.what = what, .n = n, .arg = arg};

	child_write(&fake->child, &c, sizeof(c));
	child_read(&fake->child, &fake->tally, sizeof(fake->tally));
}

static struct pmt_counts counts_of(const struct fake *fake)
{
	struct trace_counts c;
	struct fault f = {};

	assert_no_fault(trace_read(fake->trace, fake->child.pid, &c, &f), f);
	return c.counts;
}

/* All counts are the interpreter's own, but what is given. Failures show at the next event. */
static void assert_agrees(const struct fake *fake, unsigned disagreed)
{
	const struct fake_tally *own = &fake->tally;
	struct pmt_counts c = counts_of(fake);

	assert_int_equal(c.arenas_taken, own->taken);
	assert_int_equal(c.arenas_released, own->released);
	assert_int_equal(c.arenas_failed, own->failed);
	assert_int_equal(c.chunks_taken, own->chunks_taken);
	assert_int_equal(c.chunks_released, own->chunks_released);
	assert_int_equal(c.other_taken, own->other_taken);
	assert_int_equal(c.other_released, own->other_released);
	assert_int_equal(c.pools_other, own->pools_other);
	for (int i = 0; i < FAKE_CLASSES; i++)
		assert_int_equal(c.pools_taken[i], own->pools[i]);
	assert_int_equal(c.disagreed, disagreed);
	assert_int_equal(c.unread, 0);
	assert_int_equal(c.events, own->taken + own->released);
}

static void fake_end(struct fake *fake)
{
	assert_int_equal(child_end(&fake->child), 0);
	close_session(fake->trace);
}

static struct fake fake_open(enum version version)
{
	struct fake fake = fake_start(open_session(true, false));

	fake_attach(&fake, version);
	fake_target(&fake, version);
	return fake;
}

static void arenas_are_counted(void **state)
{
	for (enum version v = BEFORE_312; v <= SINCE_312; v++) {
		struct fake fake = fake_open(v);
		struct pmt_counts c;

		tell(&fake, FAKE_TAKE, 100, 0);
		tell(&fake, FAKE_RELEASE, 30, 0);
		tell(&fake, FAKE_TAKE, 7, 0);
		assert_agrees(&fake, 0);
		/* Entry of the newest call: as things were before it. */
		c = counts_of(&fake);
		assert_int_equal(c.last_ntimes, fake.tally.ntimes - 1);
		assert_int_equal(c.last_narenas, fake.tally.narenas - 1);
		fake_end(&fake);
	}
}

static void failed_calls_are_told_apart(void **state)
{
	struct fake fake = fake_open(SINCE_312);

	tell(&fake, FAKE_TAKE, 3, 0);
	tell(&fake, FAKE_FAIL, 4, 0);
	tell(&fake, FAKE_TAKE, 1, 0);
	tell(&fake, FAKE_FAIL, 1, 0);
	tell(&fake, FAKE_RELEASE, 2, 0);
	assert_agrees(&fake, 0);
	assert_int_equal(fake.tally.failed, 5);
	fake_end(&fake);
}

static void other_sizes_are_chunks(void **state)
{
	struct fake fake = fake_open(BEFORE_312);

	tell(&fake, FAKE_TAKE, 2, 0);
	tell(&fake, FAKE_CHUNK, 50, 0);
	tell(&fake, FAKE_RELEASE, 2, 0);
	tell(&fake, FAKE_CHUNK, 1, 0);
	assert_agrees(&fake, 0);
	assert_int_equal(fake.tally.chunks_taken, 51);
	fake_end(&fake);
}

static void other_interpreters_are_told_apart(void **state)
{
	struct fake fake = fake_open(SINCE_312);

	tell(&fake, FAKE_NO_GIL, 2, 0);
	tell(&fake, FAKE_TAKE, 2, 0);
	tell(&fake, FAKE_OWN_GIL, 20, 0);
	tell(&fake, FAKE_SHARED_GIL, 5, 0);
	tell(&fake, FAKE_LEGACY, 4, 0);
	tell(&fake, FAKE_MOVED, 3, 0);
	tell(&fake, FAKE_RELEASE, 1, 0);
	assert_agrees(&fake, 0);
	assert_int_equal(fake.tally.other_taken, 25);
	fake_end(&fake);
}

static void pools_are_counted_by_class(void **state)
{
	struct fake fake = fake_open(SINCE_312);

	tell(&fake, FAKE_POOL, 10, 0);
	tell(&fake, FAKE_POOL, 3, 31);
	tell(&fake, FAKE_POOL_OTHER, 6, 31);
	tell(&fake, FAKE_POOL, 1, 64 + 5); /* no such class: bounded, not believed */
	assert_agrees(&fake, 0);
	fake_end(&fake);

	fake = fake_open(BEFORE_312);
	tell(&fake, FAKE_POOL_OLD, 8, 17);
	assert_agrees(&fake, 0);
	fake_end(&fake);
}

static void disagreement_is_noticed(void **state)
{
	struct fake fake = fake_open(BEFORE_312);

	tell(&fake, FAKE_TAKE, 3, 0);
	tell(&fake, FAKE_LIE, 1, 0);
	tell(&fake, FAKE_TAKE, 3, 0);
	assert_agrees(&fake, 1);
	tell(&fake, FAKE_LIE, -1, 0); /* back */
	tell(&fake, FAKE_RELEASE, 1, 0);
	assert_agrees(&fake, 2);
	fake_end(&fake);
}

static void unreadable_counters_are_counted(void **state)
{
	struct fake fake = fake_start(open_session(true, false));
	struct pmt_counts c;

	fake.hello.narenas = 8; /* nothing is mapped there */
	fake_attach(&fake, BEFORE_312);
	fake_target(&fake, BEFORE_312);
	tell(&fake, FAKE_TAKE, 3, 0);
	c = counts_of(&fake);
	assert_int_equal(c.arenas_taken, 3);
	/* the first has nothing to be compared with: before any arena the page may be untouched */
	assert_int_equal(c.unread, 2);
	assert_int_equal(c.disagreed, 0);
	fake_end(&fake);
}

/* Two processes of one file: each has its own counts, and what is no target is not counted. */
static void processes_are_kept_apart(void **state)
{
	struct fake a = fake_open(SINCE_312), b = fake_start(a.trace), c = fake_start(a.trace);
	struct trace_counts n;
	struct fault f = {};

	fake_target(&b, SINCE_312);
	tell(&a, FAKE_TAKE, 10, 0);
	tell(&b, FAKE_TAKE, 20, 0);
	tell(&c, FAKE_TAKE, 40, 0);
	assert_agrees(&a, 0);
	assert_agrees(&b, 0);
	assert_int_equal(trace_read(a.trace, c.child.pid, &n, &f), -ESRCH);
	assert_int_equal(child_end(&b.child), 0);
	assert_int_equal(child_end(&c.child), 0);
	fake_end(&a);
}

/* Counts are kept when what is known of a target is replaced, and go with the target. */
static void counts_begin_and_end_with_the_target(void **state)
{
	struct fake fake = fake_open(SINCE_312);
	struct pmt_counts c;

	tell(&fake, FAKE_TAKE, 5, 0);
	fake_target(&fake, SINCE_312);
	assert_agrees(&fake, 0);
	assert_int_equal(trace_remove_target(fake.trace, fake.child.pid), 0);
	tell(&fake, FAKE_TAKE, 5, 0);
	fake_target(&fake, SINCE_312);
	tell(&fake, FAKE_TAKE, 1, 0);
	c = counts_of(&fake);
	assert_int_equal(c.arenas_taken, 1);
	assert_int_equal(c.disagreed, 0);
	fake_end(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arenas_are_counted),
		cmocka_unit_test(failed_calls_are_told_apart),
		cmocka_unit_test(other_sizes_are_chunks),
		cmocka_unit_test(other_interpreters_are_told_apart),
		cmocka_unit_test(pools_are_counted_by_class),
		cmocka_unit_test(disagreement_is_noticed),
		cmocka_unit_test(unreadable_counters_are_counted),
		cmocka_unit_test(processes_are_kept_apart),
		cmocka_unit_test(counts_begin_and_end_with_the_target),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
