/* SPDX-License-Identifier: MIT */
/* The lines of `stat`, from made-up figures. */
#include "fixture.h"

#include "base/fault.h"
#include "output/report.h"

#include <errno.h>
#include <time.h>

#define MIB(x) ((int64_t)((x)*1048576))
#define NOON   1700049600000000000 /* 2023-11-15 12:00:00 UTC */

static struct process_id process = {.pid = 4242};
static struct python_id python;

static int setup(void **state)
{
	static char cmdline[] = "/srv/app/venv/bin/python3 app.py";

	setenv("TZ", "UTC", 1);
	tzset();
	process = (struct process_id){.pid = 4242, .cmdline = cmdline};
	python = (struct python_id){.version_hex = 0x030c01f0,
				    .allocator = ALLOCATOR_PYMALLOC,
				    .nr_interpreters = 1,
				    .layout = "3.12.1",
				    .layout_measured = true};
	return 0;
}

static struct malloc_stats some_stats(void)
{
	return (struct malloc_stats){
		.pymalloc = true,
		.nr_classes = 32,
		.alignment = 16,
		.arenas_total = 139,
		.arenas_highwater = 139,
		.arenas_current = 139,
		.arena_bytes = 1 << 20,
		.pool_bytes = 16384,
		.allocated_bytes = MIB(121.4),
		.available_bytes = MIB(10),
		.unused_pools = 480, /* 7.5 MiB */
	};
}

static char *header(const struct report_header *h)
{
	struct report_printer p = {0};
	struct catch c;

	p.out = catch_open(&c);
	report_print_header(&p, h);
	return catch_text(&c);
}

static void the_header_says_who_it_is(void **state)
{
	struct report_header h = {.process = &process,
				  .python = &python,
				  .arena_bytes = 1 << 20,
				  .interval_ns = 5000000000,
				  .endless = true};
	_cleanup_free_ char *text = header(&h), *other = NULL;

	assert_string_equal(
		text, "# pid 4242  /srv/app/venv/bin/python3 app.py  CPython 3.12.1, "
		      "pymalloc, arenas of 1 MiB; since attach, every 5 s, Ctrl-C for the total\n");
	python.layout_measured = false;
	python.allocator = ALLOCATOR_MALLOC;
	python.nr_interpreters = 3;
	python.tracemalloc = true;
	snprintf(python.layout, sizeof(python.layout), "3.12.1, 3.12.3 not measured, validated");
	process.cmdline = NULL;
	h = (struct report_header){
		.process = &process, .python = &python, .interval_ns = 200000000};
	other = header(&h);
	assert_string_equal(
		other,
		"# pid 4242  CPython 3.12.1, malloc, tracemalloc on; since attach, every 0.2 s\n"
		"# layout of 3.12.1, 3.12.3 not measured, validated\n"
		"# 3 interpreters: pymalloc's figures are those of the main one\n");
}

static void a_hostile_command_line_is_escaped_and_cut(void **state)
{
	struct report_header h = {.process = &process, .python = &python};
	_cleanup_free_ char *text = NULL;
	char cmdline[5000];

	memset(cmdline, 'x', sizeof(cmdline) - 1);
	cmdline[sizeof(cmdline) - 1] = 0;
	memcpy(cmdline, "\x1b[31m\n", 6);
	process.cmdline = cmdline;
	text = header(&h);
	assert_memory_equal(text, "# pid 4242  \\x1b[31m\\x0axxx", 25);
	assert_non_null(strstr(text, "xxx...  CPython"));
	assert_true(strlen(text) < 400);
}

static char *state_line(const struct report_state *s, bool several)
{
	struct report_printer p = {.several = several};
	struct catch c;

	p.out = catch_open(&c);
	report_print_state(&p, s);
	return catch_text(&c);
}

static void the_state_comes_first(void **state)
{
	struct malloc_stats st = some_stats();
	struct report_state s = {.time_ns = NOON,
				 .process = &process,
				 .python = &python,
				 .rss = {.anon = MIB(181), .file = MIB(17.2)},
				 .stats = &st};
	_cleanup_free_ char *text = state_line(&s, false), *several = NULL, *none = NULL,
			    *malloc_line = NULL;

	assert_string_equal(
		text,
		"12:00:00  RSS 198.2 MiB (anon 181.0, file 17.2)   pymalloc 139 arenas: "
		"121.4 MiB in use, 17.5 MiB free in them   outside pymalloc 42.0 MiB or more\n");
	s.rss.shmem = MIB(1);
	s.rss.swap = MIB(2);
	s.health.read.arenas_torn = 1;
	several = state_line(&s, true);
	assert_string_equal(
		several,
		"12:00:00  pid 4242  RSS 199.2 MiB (anon 181.0, file 17.2, shmem 1.0, swap 2.0)   "
		"pymalloc 139 arenas: 121.4 MiB in use, 17.5 MiB free in them   "
		"outside pymalloc 44.0 MiB or more\n"
		"# health: pid 4242: 1 arena never added up while it was read\n");
	s = (struct report_state){.time_ns = NOON, .process = &process, .python = &python};
	none = state_line(&s, false);
	assert_string_equal(none, "12:00:00  RSS 0 B   pymalloc not read\n");
	st.pymalloc = false;
	python.allocator = ALLOCATOR_MIMALLOC;
	s.stats = &st;
	malloc_line = state_line(&s, false);
	assert_string_equal(malloc_line, "12:00:00  RSS 0 B   pymalloc not in use (mimalloc)\n");
}

/* More arenas than anonymous memory: untouched ones. A lower bound of 0, not a negative figure. */
static void outside_pymalloc_is_never_negative(void **state)
{
	struct malloc_stats st = some_stats();
	struct rss rss = {.anon = MIB(10)};

	assert_int_equal(report_outside_pymalloc(&rss, &st), 0);
	rss.swap = MIB(130);
	assert_int_equal(report_outside_pymalloc(&rss, &st), MIB(1));
	st.arenas_current = UINT64_MAX / 2;
	st.arena_bytes = UINT64_MAX / 3;
	assert_true(report_outside_pymalloc(&rss, &st) >= 0);
}

static void a_change_shows_line_and_table(void **state)
{
	struct malloc_stats before = some_stats(), after = before;
	struct report_change c = {.time_ns = NOON + 5000000000,
				  .interval_ns = 5000000000,
				  .pid = 4242,
				  .before = {.anon = MIB(181), .file = MIB(17.2)},
				  .after = {.anon = MIB(195.1), .file = MIB(17.3)},
				  .arenas = SOURCE_EVENTS,
				  .arenas_taken = 12,
				  .arenas_current = 151,
				  .pools = SOURCE_EVENTS,
				  .pools_taken = 761,
				  .stats_before = &before,
				  .stats_after = &after};
	struct report_printer p = {0};
	_cleanup_free_ char *text = NULL;
	struct fault f = {0};
	struct catch caught;

	after.classes[1].used += 52;
	after.allocated_bytes += 52 * 32;
	p.out = catch_open(&caught);
	assert_int_equal(report_print_change(&p, &c, &f), 0);
	c.stats_before = &after;
	c.before = c.after;
	c.arenas_taken = c.pools_taken = 0;
	c.time_ns += 5000000000;
	assert_int_equal(report_print_change(&p, &c, &f), 0);
	c.time_ns += 5000000000;
	assert_int_equal(report_print_change(&p, &c, &f), 0);
	text = catch_text(&caught);
	assert_string_equal(text, "\n12:00:05  RSS +14.2 MiB \u2192 212.4 MiB (anon +14.1, file "
				  "+0.1)   arenas +12 \u22120 \u2192 151   pools taken 761\n"
				  "class   size   num pools   blocks in use  avail blocks\n"
				  "-----   ----   ---------   -------------  ------------\n"
				  "    1     32          +0             +52            +0\n"
				  "\n"
				  "# bytes in allocated blocks        =               +1,664\n"
				  "Total                              =               +1,664\n"
				  "\n12:00:10  RSS +0 B \u2192 212.4 MiB   arenas +0 \u22120 "
				  "\u2192 151   pools taken 0\n"
				  "12:00:15  RSS +0 B \u2192 212.4 MiB   arenas +0 \u22120 \u2192 "
				  "151   pools taken 0\n");
}

static char *change_line(const struct report_change *c, bool several)
{
	struct report_printer p = {.several = several};
	struct fault f = {0};
	struct catch caught;

	p.out = catch_open(&caught);
	assert_int_equal(report_print_change(&p, c, &f), 0);
	return catch_text(&caught);
}

static void a_shrinking_process(void **state)
{
	struct report_change c = {.time_ns = NOON,
				  .interval_ns = 90500000000,
				  .total = true,
				  .pid = 7,
				  .before = {.anon = MIB(2), .shmem = MIB(5)},
				  .after = {.anon = MIB(1.5), .shmem = MIB(5), .swap = 4096},
				  .arenas = SOURCE_STATE,
				  .arenas_released = 3,
				  .arenas_current = 1,
				  .pools = SOURCE_STATE,
				  .pools_net = -14};
	_cleanup_free_ char *text = change_line(&c, true);

	assert_string_equal(
		text, "12:00:00  pid 7  total of 90.5 s  RSS \u2212512.0 KiB \u2192 6.5 MiB "
		      "(anon \u2212512.0, swap +4.0)   arenas +0 \u22123 \u2192 1 (from state)   "
		      "pools \u221214 (from state)\n");
}

static void what_else_happened(void **state)
{
	struct report_change c = {.time_ns = NOON,
				  .arenas = SOURCE_EVENTS,
				  .arenas_taken = 1,
				  .arenas_failed = 2,
				  .chunks_taken = 385,
				  .chunks_released = 380,
				  .other_taken = 3,
				  .pools = SOURCE_EVENTS,
				  .pools_other = 9};
	_cleanup_free_ char *text = change_line(&c, false), *none = NULL;

	assert_string_equal(
		text, "12:00:00  RSS +0 B \u2192 0 B   arenas +1 \u22120 \u2192 0   arena calls "
		      "failed 2   "
		      "stack chunks +385 \u2212380   arenas of other interpreters +3 \u22120   "
		      "pools taken 0   of other interpreters 9\n");
	c = (struct report_change){.time_ns = NOON};
	none = change_line(&c, false);
	assert_string_equal(none, "12:00:00  RSS +0 B \u2192 0 B\n");
}

/* Kinds that cancel out are shown in a unit that shows them. */
static void the_unit_is_that_of_the_largest(void **state)
{
	struct report_change c = {
		.time_ns = NOON, .before = {.file = MIB(14)}, .after = {.anon = MIB(14)}};
	_cleanup_free_ char *text = change_line(&c, false);

	assert_string_equal(
		text, "12:00:00  RSS +0.0 MiB \u2192 14.0 MiB (anon +14.0, file \u221214.0)\n");
}

static void every_loss_has_its_line(void **state)
{
	struct report_health h = {.events_disagreed = 3,
				  .events_unread = 1,
				  .state_disagreed = 2,
				  .records_lost = 1,
				  .targets_lost = 5,
				  .rss_lost = 1,
				  .read = {.arenas_torn = 2,
					   .pools_unread = 7,
					   .pools_invalid = 1,
					   .freelists_unread = 4,
					   .inconsistent = true}};
	struct report_health none = {0};
	_cleanup_free_ char *text = NULL, *nothing = NULL;
	struct catch c;

	report_print_health(catch_open(&c), 1, false, &h);
	text = catch_text(&c);
	assert_string_equal(text,
			    "# health: 3 arena events disagree with the target's counters\n"
			    "# health: 1 arena event whose counters could not be read\n"
			    "# health: 2 reads of state disagree with the arena events counted\n"
			    "# health: 1 fork, exec or exit record dropped\n"
			    "# health: 5 child processes could not be watched: map full\n"
			    "# health: 1 address space whose RSS could not be followed: map full\n"
			    "# health: 2 arenas never added up while they were read\n"
			    "# health: 7 pools whose headers are not in memory (swapped out)\n"
			    "# health: 1 pool header that cannot be\n"
			    "# health: 4 free lists could not be read\n"
			    "# health: the bytes of all arenas are not the sum of their parts\n");
	report_print_health(catch_open(&c), 1, false, &none);
	nothing = catch_text(&c);
	assert_string_equal(nothing, "");
	assert_true(report_health_any(&h));
	assert_false(report_health_any(&none));
	none.read.pools_unread = 1;
	assert_true(report_health_any(&none));
}

static void another_python_is_a_fault_and_still_a_line(void **state)
{
	struct malloc_stats before = some_stats(), after = before;
	struct report_change c = {.time_ns = NOON, .stats_before = &before, .stats_after = &after};
	struct report_printer p = {0};
	_cleanup_free_ char *text = NULL;
	struct fault f = {0};
	struct catch caught;

	after.arena_bytes = 262144;
	p.out = catch_open(&caught);
	assert_int_equal(report_print_change(&p, &c, &f), -EINVAL);
	text = catch_text(&caught);
	assert_string_equal(text, "12:00:00  RSS +0 B \u2192 0 B\n");
	assert_int_equal(f.err, EINVAL);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_header_says_who_it_is),
		TEST(a_hostile_command_line_is_escaped_and_cut),
		TEST(the_state_comes_first),
		TEST(outside_pymalloc_is_never_negative),
		TEST(a_change_shows_line_and_table),
		TEST(a_shrinking_process),
		TEST(what_else_happened),
		TEST(the_unit_is_that_of_the_largest),
		TEST(every_loss_has_its_line),
		TEST(another_python_is_a_fault_and_still_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
