/* SPDX-License-Identifier: MIT */
/* Profiles as text, from made-up ones (profile_fixture.h). */
#include "profile_fixture.h"

#include "base/fault.h"
#include "output/profile_out.h"
#include "output/profile_text.h"

#include <errno.h>
#include <time.h>

static int setup(void **state)
{
	setenv("TZ", "UTC", 1);
	tzset();
	return 0;
}

static char *text_of(const struct profile *p, const struct profile_view *view)
{
	struct fault f = {0};
	struct catch c;

	if (profile_write(catch_open(&c), p, view, "text", &f))
		fail_msg("%s", f.text);
	return catch_text(&c);
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("not in it: %s\n%s", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("in it: %s\n%s", part, text);
}

static void the_report_adds_up(void **state)
{
	struct profile_view view = {.events = 1u << PROFILE_RSS, .top = 4};
	struct profile *p = fix_profile();
	_cleanup_free_ char *text = text_of(p, &view);

	assert_string_equal(
		text,
		"# pymemtrace-bpf 0.1.0, Linux 6.18.44 x86_64, web1\n"
		"# 2023-11-15 12:00:00 to 12:01:00, 60.0 s; exact: every change of RSS has its stack\n"
		"# pid 4242  python3 app.py  CPython 3.12.1  RSS 100.0 MiB → 160.0 MiB\n"
		"\n"
		"RSS by call stack, callers first\n"
		"     total        self       grew    shrank  function\n"
		" +51.0 MiB               67.0 MiB  16.0 MiB  <module>  /srv/app/app.py:1\n"
		" +51.0 MiB               67.0 MiB  16.0 MiB    main  /srv/app/app.py:210\n"
		" +57.0 MiB   +24.0 MiB   67.0 MiB  10.0 MiB    ├─ Loader.load  "
		"/srv/app/load.py:40\n"
		" +31.0 MiB   +30.0 MiB   41.0 MiB  10.0 MiB    │  ├─ parse  "
		"/srv/app/load.py:80\n"
		"  +1.0 MiB                1.0 MiB              │  │  └─ parse  "
		"/srv/app/load.py:80\n"
		"  +1.0 MiB    +1.0 MiB    1.0 MiB              │  │     parse  "
		"/srv/app/load.py:80\n"
		"  +2.0 MiB    +2.0 MiB    2.0 MiB              │  └─ <native: libx.so>  "
		"/usr/lib/libx.so\n"
		"  −6.0 MiB    −6.0 MiB              6.0 MiB    └─ drop  "
		"/srv/app/app.py:300\n"
		"  +7.0 MiB    +7.0 MiB    8.0 MiB   1.0 MiB  [no Python thread]\n"
		"  +3.5 MiB    +3.5 MiB    3.5 MiB            [unexplained]\n"
		"+512.0 KiB              512.0 KiB            [truncated]\n"
		"+512.0 KiB              512.0 KiB              Loader.load  /srv/app/load.py:40\n"
		"+512.0 KiB  +512.0 KiB  512.0 KiB              parse  /srv/app/load.py:80\n"
		"  −2.0 MiB    −2.0 MiB              2.0 MiB  [by another task]\n"
		"\n"
		"RSS by function, 4 of 6, sorted by self_bytes\n"
		"     self      grew    shrank      total  events  at line  function           "
		"file\n"
		"+31.5 MiB  41.5 MiB  10.0 MiB  +31.5 MiB      52       85  parse              "
		"/srv/app/load.py:80\n"
		"+24.0 MiB  24.0 MiB            +57.5 MiB      24       47  Loader.load        "
		"/srv/app/load.py:40\n"
		" +2.0 MiB   2.0 MiB             +2.0 MiB       2           <native: libx.so>  "
		"/usr/lib/libx.so\n"
		"                               +51.0 MiB                   <module>           "
		"/srv/app/app.py:1\n"
		" −6.0 MiB             6.0 MiB                  6           (2 more)\n"
		"\n"
		"RSS: what was seen, and whose it is\n"
		"      net        bytes      grew    shrank  events\n"
		"+51.5 MiB  +54,001,664  67.5 MiB  16.0 MiB      84  call stacks\n"
		" +7.0 MiB   +7,340,032   8.0 MiB   1.0 MiB       9  [no Python thread]\n"
		" −2.0 MiB   −2,097,152             2.0 MiB       2  [by another task]\n"
		" +3.5 MiB   +3,670,016   3.5 MiB                 0  [unexplained]\n"
		"+60.0 MiB  +62,914,560  79.0 MiB  19.0 MiB      95  sum; RSS 100.0 MiB → 160.0 "
		"MiB\n");
	profile_free(p);
}

static void small_nodes_are_summed_in_one_line(void **state)
{
	struct profile_view view = {.events = 1u << PROFILE_RSS, .min_bytes = KIB(6144)};
	struct profile *p = fix_profile();
	_cleanup_free_ char *text = text_of(p, &view), *all = NULL;

	assert_has(text, "    ├─ Loader.load");
	assert_has(text, "+30.0 MiB  41.0 MiB  10.0 MiB    │  ├─ parse");
	assert_has(text, " +1.0 MiB              1.0 MiB              │  │  └─ (1 smaller)\n");
	assert_has(text, " +2.0 MiB              2.0 MiB              │  └─ (1 smaller)\n");
	assert_has(text, "└─ drop");
	/* unexplained 3.5, truncated 0.5, another task -2 */
	assert_has(text, " +2.0 MiB              4.0 MiB   2.0 MiB  (3 smaller)\n");
	assert_lacks(text, "by function, 0");
	view.min_bytes = 1;
	all = text_of(p, &view);
	assert_lacks(all, "smaller");
	profile_free(p);
}

static void inverted_and_by_thread(void **state)
{
	struct profile_view view = {
		.events = 1u << PROFILE_RSS, .inverted = true, .by_thread = true};
	struct profile *p = fix_profile();
	_cleanup_free_ char *text = text_of(p, &view), *two = NULL;

	assert_has(text, "\nRSS by call stack, callees first, by thread\n");
	assert_has(text,
		   "  thread 4243 (worker)\n"
		   "  +4.0 MiB                4.0 MiB              Loader.load  "
		   "/srv/app/load.py:40\n"
		   "  +4.0 MiB                4.0 MiB              main  /srv/app/app.py:210\n"
		   "  +4.0 MiB    +4.0 MiB    4.0 MiB              <module>  "
		   "/srv/app/app.py:1\n");
	fix_second_process(p);
	two = text_of(p, &view);
	assert_has(two, "  pid 4242 (python3 app.py)\n");
	assert_has(two, "  pid 4300 (worker \\x1b[31m\"x\";y)\n");
	assert_has(two, "thread 4300 (w\\x0a;\\x1b)\n");
	assert_has(two, "sum; RSS 101.0 MiB → 164.0 MiB\n");
	profile_free(p);
}

/* Nothing that a target chose reaches a terminal as it is. */
static void hostile_names_are_escaped_and_cut(void **state)
{
	struct profile_view view = {.top = PROFILE_TOP_ALL};
	struct profile *p = fix_profile();
	_cleanup_free_ char *text = NULL;
	char name[5000];
	uint32_t f;

	fix_second_process(p);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	f = fix_function(p, PROFILE_PYTHON, name, name, 1);
	fix_row(p, PROFILE_RSS, FIX_STACK(p, false, {f, 1}), 0, KIB(100000), 0, 1);
	profile_balance(p);
	text = text_of(p, &view);
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 && *c != '\n')
			fail_msg("control character %d", *c);
	assert_null(strstr(text, "\u202e"));
	assert_has(text, "evil;\"<&>\\x0a\\x1b]0;\\\\ ü\\xe2\\x80\\xae  /tmp/a;b\\x0a\"c.py:7\n");
	assert_has(text, "nnn...  nnn");
	assert_true(strlen(text) < 20000);
	profile_free(p);
}

static void sampled_figures_have_an_error(void **state)
{
	struct profile_view view = {.events = 1u << PROFILE_RSS, .top = 2, .sort = "total"};
	struct profile *p = fix_profile();
	_cleanup_free_ char *text = NULL;

	p->exact = false;
	p->step_pages = 32;
	p->batched = true;
	p->cut_short = true;
	p->names_lost = 1;
	p->lines_lost = 2;
	text = text_of(p, &view);
	assert_has(text, "sampled: a stack about every 32 pages (128.0 KiB) of RSS\n");
	assert_has(text, "# this kernel counts RSS in steps of 64 pages (256.0 KiB) per thread");
	assert_has(text, "# cut short: ");
	assert_has(text, "# 1 code object was gone before a name could be read: \"?\"\n");
	assert_has(text, "# 2 code objects were gone before lines could be read\n");
	/* sqrt(24 samples) * 128 KiB */
	assert_has(text, "sorted by total_bytes\n"
			 "     self    ± error      grew    shrank      total  samples  at line  "
			 "function     file\n"
			 "+24.0 MiB  627.1 KiB  24.0 MiB            +57.5 MiB       24       47  "
			 "Loader.load  /srv/app/load.py:40\n");
	profile_free(p);
}

static void without_shrinkage_there_are_no_columns_for_it(void **state)
{
	struct profile_view view = {.top = PROFILE_TOP_ALL};
	struct profile *p = fix_empty();
	_cleanup_free_ char *text = NULL;

	fix_process(p, 7, "", 0, 4096)->ended = true;
	fix_functions(p);
	fix_thread(p, 7, 7, "");
	fix_row(p, PROFILE_RSS, FIX_STACK(p, false, {FIX_LOAD, 0}), 0, 4096, 0, 1);
	profile_balance(p);
	text = text_of(p, &view);
	assert_has(text, "# pid 7  CPython 3.12.1  RSS 0 B → 4.0 KiB, ended\n"
			 "\n"
			 "RSS by call stack, callers first\n"
			 "   total      self  function\n"
			 "+4.0 KiB  +4.0 KiB  Loader.load  /srv/app/load.py:40\n"
			 "\n"
			 "RSS by function, 1 of 1, sorted by self_bytes\n"
			 "    self     total  events  at line  function     file\n"
			 "+4.0 KiB  +4.0 KiB       1           Loader.load  /srv/app/load.py:40\n"
			 "\n"
			 "RSS: what was seen, and whose it is\n"
			 "     net   bytes  events\n"
			 "+4.0 KiB  +4,096       1  call stacks\n"
			 "+4.0 KiB  +4,096       1  sum; RSS 0 B → 4.0 KiB\n");
	profile_free(p);
}

static void nothing_seen_is_said(void **state)
{
	struct profile_view view = {.top = 20};
	struct profile *p = fix_empty();
	_cleanup_free_ char *text = text_of(p, &view), *causes = NULL, *wrong = NULL;

	assert_has(text, "has its stack\n"
			 "\n"
			 "RSS: what was seen, and whose it is\n"
			 "net  bytes  events\n"
			 "0 B      0       0  call stacks\n"
			 "0 B      0       0  sum; RSS 0 B → 0 B\n");
	fix_process(p, 7, "x", 4096, 0);
	profile_balance(p);
	causes = text_of(p, &view);
	assert_has(causes, "−4.0 KiB  −4.0 KiB        4.0 KiB  [unexplained]\n");
	assert_lacks(causes, "by function");
	assert_lacks(causes, "does not add up");
	p->processes[0].rss_after = 8192;
	wrong = text_of(p, &view);
	assert_has(wrong, "# this does not add up: RSS changed by +4,096 bytes\n");
	profile_free(p);
}

static void arenas_are_told_oldest_and_emptiest_first(void **state)
{
	struct profile_view view = {.events = 1u << PROFILE_ARENA, .top = PROFILE_TOP_ALL};
	struct profile *p = fix_profile();
	struct profile_arena arenas[] = {
		{4242, 1, 1 << 20, 1 << 19, 64, 30, 1, 0, p->end_ns - 58000000000},
		{4242, 2, 1 << 20, 1 << 18, 64, 30, 0, 0, p->end_ns - 400000000},
		{4242, 3, 1 << 20, 1 << 19, 64, 1, PROFILE_NONE, PROFILE_NONE, 0},
		{4242, 4, 1 << 20, 0, 64, 64, PROFILE_NONE, PROFILE_NONE, 0},
		{4242, 5, 1 << 20, 1 << 18, 64, 48, PROFILE_NONE, PROFILE_NONE,
		 p->end_ns - 4000000000000},
	};
	_cleanup_free_ char *text = NULL, *first = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(arenas); i++)
		assert_int_equal(profile_add_arena(p, &arenas[i]), 0);
	text = text_of(p, &view);
	assert_has(text,
		   "arenas alive at the end: 5, 5.0 MiB, 1.5 MiB of it used (30 %); 2 from before "
		   "attach\n"
		   "     age  used      bytes       of  free pools  opened by        file\n"
		   "           0 %        0 B  1.0 MiB    64 of 64  [before attach]\n");
	assert_has(text, "          50 %  512.0 KiB  1.0 MiB     1 of 64  [before attach]\n"
			 "1 h 06 m  25 %  256.0 KiB  1.0 MiB    48 of 64  [not seen]\n"
			 "    58 s  50 %  512.0 KiB  1.0 MiB    30 of 64  parse            "
			 "/srv/app/load.py:85\n"
			 "   0.4 s  25 %  256.0 KiB  1.0 MiB    30 of 64  Loader.load      "
			 "/srv/app/load.py:47\n");
	assert_has(text, "+1.0 MiB  +1,048,576  2.0 MiB  1.0 MiB       3  sum\n");
	assert_lacks(text, "RSS by");
	view.top = 2;
	first = text_of(p, &view);
	assert_has(first, "(3 more)\n");
	assert_lacks(first, "58 s");
	profile_free(p);
}

static char *functions_of(const struct profile *p, pid_t pid, uint64_t top)
{
	struct catch c;

	assert_int_equal(profile_print_functions(catch_open(&c), p, pid, top), 0);
	return catch_text(&c);
}

static void stat_tells_what_changed_most_first(void **state)
{
	_cleanup_free_ char *text = NULL, *line = NULL, *other = NULL, *none = NULL,
			    *sampled = NULL;
	struct profile *p = fix_profile(), *empty = fix_empty();

	text = functions_of(p, 4242, 3);
	assert_string_equal(
		text, "     self      total  function     file\n"
		      "+31.5 MiB  +31.5 MiB  parse        /srv/app/load.py:85\n"
		      "+24.0 MiB  +57.5 MiB  Loader.load  /srv/app/load.py:47\n"
		      " −6.0 MiB   −6.0 MiB  drop         /srv/app/app.py:301\n"
		      "# by function: RSS +60.0 MiB seen, +51.5 MiB of it in functions; not: "
		      "[no Python thread] +7.0 MiB, [by another task] −2.0 MiB, [unexplained] "
		      "+3.5 MiB\n");
	p->exact = false;
	p->step_pages = 32;
	line = functions_of(p, 0, 0);
	assert_non_null(
		strstr(line, "# by function: RSS +60.0 MiB seen, +51.5 MiB of it in functions; "));
	sampled = functions_of(p, 4242, 1);
	/* 52 samples: the root of that, times 128 KiB */
	assert_non_null(strstr(sampled,
			       "     self    ± error      total  function  file\n"
			       "+31.5 MiB  923.0 KiB  +31.5 MiB  parse     /srv/app/load.py:85\n"));
	other = functions_of(p, 1, 10);
	assert_string_equal(other, "");
	none = functions_of(empty, 0, 10);
	assert_string_equal(none, "");
	profile_free(empty);
	profile_free(p);
}

static void columns_and_events_that_are_not_there_are_named(void **state)
{
	struct profile *p = fix_profile();
	struct profile_view view = {.sort = "size\x1b"};
	struct fault f = {0};

	assert_int_equal(profile_write(NULL, p, &view, "text", &f), -EINVAL);
	assert_string_equal(f.text, "--sort size\\x1b: not a column");
	assert_has(f.hint, "self_bytes, ");
	assert_has(f.hint, ", total_events");
	view = (struct profile_view){.events = 1u << PROFILE_POOL};
	assert_int_equal(profile_write(NULL, p, &view, "text", &f), -EINVAL);
	assert_string_equal(f.text, "event 'pool' was not recorded");
	assert_int_equal(profile_write(NULL, p, &view, "nonsense", &f), -EINVAL);
	assert_string_equal(f.text, "no format 'nonsense'");
	profile_free(p);
}

static void a_write_that_fails_is_told(void **state)
{
	struct profile *p = fix_profile();
	struct profile_view view = {0};
	struct fault f = {0};

	for (const struct profile_format *t = profile_formats; t->name; t++) {
		FILE *full = fopen("/dev/full", "we");

		assert_non_null(full);
		if (profile_write(full, p, &view, t->name, &f) >= 0)
			fail_msg("%s: nothing said", t->name);
		assert_int_equal(f.err, ENOSPC);
		fclose(full);
	}
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_report_adds_up),
		cmocka_unit_test(small_nodes_are_summed_in_one_line),
		cmocka_unit_test(inverted_and_by_thread),
		cmocka_unit_test(hostile_names_are_escaped_and_cut),
		cmocka_unit_test(sampled_figures_have_an_error),
		cmocka_unit_test(without_shrinkage_there_are_no_columns_for_it),
		cmocka_unit_test(nothing_seen_is_said),
		cmocka_unit_test(arenas_are_told_oldest_and_emptiest_first),
		cmocka_unit_test(stat_tells_what_changed_most_first),
		cmocka_unit_test(columns_and_events_that_are_not_there_are_named),
		cmocka_unit_test(a_write_that_fails_is_told),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
