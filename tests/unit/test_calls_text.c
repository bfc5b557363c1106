/* SPDX-License-Identifier: MIT */
/* Tables of calls as text, from made-up ones (calls_fixture.h). */
#include "calls_fixture.h"

#include "output/calls_text.h"

#include <time.h>

static int setup(void **state)
{
	setenv("TZ", "UTC", 1);
	tzset();
	return 0;
}

static char *text_of(struct calls *c, const struct calls_text_options *o)
{
	struct catch caught;

	assert_int_equal(calls_sort(c, o->sort ? o->sort : "self"), 0);
	assert_int_equal(calls_text(catch_open(&caught), c, o), 0);
	return catch_text(&caught);
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

static const struct calls_text_options all = {.top = UINT64_MAX};

static void the_table_adds_up(void **state)
{
	struct calls *c = fix_calls();
	_cleanup_free_ char *text = text_of(c, &(struct calls_text_options){.top = 3});

	assert_string_equal(
		text,
		"# pid 4242  python3 app.py  CPython 3.12.1\n"
		"# 2023-11-15 12:00:00 to 12:00:30, 30.0 s; 12,054 entries, 12,051 exits; probes cost 4.5 s, 15 % of one CPU\n"
		"RSS +20.0 MiB (100.0 MiB → 120.0 MiB)\n"
		"\n"
		"by function, 3 of 5, sorted by self\n"
		"     self      total    largest   calls  resumes  arenas  pools  function     file\n"
		" +8.0 MiB  +14.0 MiB   +2.0 MiB      40                6    380  Loader.load  /srv/app/load.py:40\n"
		" +6.0 MiB   +6.0 MiB   +1.0 MiB  12,000        5       1     20  parse        /srv/app/load.py:80\n"
		"+64.0 KiB  +64.0 KiB  +64.0 KiB       1                          ?\n"
		"(2 more: --top all)\n"
		"\n"
		"RSS: whose it is\n"
		"       net        bytes      grew     shrank\n"
		" +14.1 MiB  +14,745,600  15.1 MiB    1.0 MiB  3 functions above\n"
		"−512.0 KiB     −524,288            512.0 KiB  2 functions not shown\n"
		"  +1.0 MiB   +1,048,576   1.0 MiB             [left out: --include, --exclude, --depth, --tid]\n"
		"  +3.8 MiB   +3,932,160   4.0 MiB  256.0 KiB  [no Python frame]\n"
		"  +1.7 MiB   +1,769,472   1.7 MiB             [unexplained]\n"
		" +20.0 MiB  +20,971,520  21.8 MiB    1.8 MiB  sum; RSS 100.0 MiB → 120.0 MiB\n"
		"# 3 calls had not ended\n");
	calls_free(c);
}

static void with_top_all_nothing_is_left(void **state)
{
	struct calls *c = fix_calls();
	_cleanup_free_ char *text = text_of(c, &all), *none = NULL, *sorted = NULL;

	assert_has(text, "\nby function, 5 of 5, sorted by self\n");
	/* what only ran is there, what only was on the stack is not */
	assert_has(text,
		   "             +13.5 MiB                  1                          main  ");
	assert_has(text,
		   "−512.0 KiB  −512.0 KiB                  7                          drop  ");
	assert_lacks(text, "idle");
	assert_lacks(text, "more");
	assert_lacks(text, "not shown");
	assert_has(text, "  5 functions above\n");
	calls_free(c);
	c = fix_calls();
	none = text_of(c, &(struct calls_text_options){.top = 0});
	assert_lacks(none, "by function");
	assert_lacks(none, "above");
	assert_has(none, "+13.6 MiB  +14,221,312  15.1 MiB    1.5 MiB  5 functions not shown\n");
	calls_free(c);
	c = fix_calls();
	sorted = text_of(c, &(struct calls_text_options){.top = 1, .sort = "calls"});
	assert_has(sorted, "sorted by calls\n");
	assert_has(sorted, "/srv/app/load.py:80\n(4 more: --top all)\n");
	calls_free(c);
}

static void columns_are_there_if_there_is_something_in_them(void **state)
{
	struct calls *c = fix_calls();
	_cleanup_free_ char *text = text_of(c, &all), *verbose = NULL, *timed = NULL, *few = NULL;

	assert_lacks(text, "self time");
	assert_lacks(text, "unwinds");
	verbose = text_of(c, &(struct calls_text_options){.top = 2, .verbose = true});
	assert_has(verbose,
		   "    self     grew   shrank      total   largest   calls  resumes  returns  "
		   "yields  unwinds  open  arenas  pools  function     file\n");
	assert_has(verbose,
		   "+6.0 MiB  7.0 MiB  1.0 MiB   +6.0 MiB  +1.0 MiB  12,000        5   11,988  "
		   "    12        3     2       1     20  parse        /srv/app/load.py:80\n");
	assert_has(verbose, "# pymemtrace-bpf 0.1.0, Linux 6.18.44 x86_64, web1\n");
	c->timed = true;
	timed = text_of(c, &all);
	assert_has(timed, "self time  total time  function");
	assert_has(timed, "  640 ns       2.5 s  Loader.load");
	assert_has(timed, "  1.2 ms      1.2 ms  parse");
	c->timed = false;
	few = text_of(c, &(struct calls_text_options){.top = 1});
	assert_lacks(few, "resumes");
	assert_has(few, "arenas");
	calls_free(c);
}

static void as_much_came_as_went(void **state)
{
	struct calls *c = fix_no_calls();
	_cleanup_free_ char *text = NULL;

	fix_call_process(c, 1, "", KIB(4), KIB(4));
	FIX_CALLS(c, NO_LARGEST, .pid = 1, .name = "churn", .calls = 1, .growth = 4096,
		  .shrink = 4096);
	text = text_of(c, &all);
	assert_has(text, "RSS 0 B (4.0 KiB → 4.0 KiB)\n");
	assert_has(text, "self  total  largest  calls  function  file\n"
			 " 0 B                      1  churn\n");
	assert_has(text, "0 B      0  4.0 KiB  4.0 KiB  1 function above\n");
	calls_free(c);
}

/* It was on the stack all the time: no call of it was seen, and what it called did something. */
static void a_total_is_enough_to_be_shown(void **state)
{
	struct calls *c = fix_no_calls();
	_cleanup_free_ char *text = NULL;

	fix_call_process(c, 1, "", 0, 0);
	FIX_CALLS(c, NO_LARGEST, .pid = 1, .name = "waits", .total = 4096);
	FIX_CALLS(c, NO_LARGEST, .pid = 1, .name = "idle", .open = 1);
	text = text_of(c, &all);
	assert_has(text, "by function, 1 of 1, sorted by self\n"
			 "self     total  largest  calls  function  file\n"
			 "      +4.0 KiB                  waits\n");
	calls_free(c);
}

static void processes_are_told_apart(void **state)
{
	struct calls *c = fix_calls();
	_cleanup_free_ char *text = NULL, *many = NULL;

	fix_second_call_process(c);
	c->processes[1].ended = true;
	text = text_of(c, &all);
	assert_has(text,
		   "# pid 4242  python3 app.py  CPython 3.12.1  RSS 100.0 MiB → 120.0 MiB\n"
		   "# pid 4300  worker \\x1b[31m\"x\";y  CPython 3.12.1  RSS 1.0 MiB → 4.0 MiB, "
		   "ended\n");
	assert_has(text, "\nRSS +23.0 MiB (101.0 MiB → 124.0 MiB)\n");
	assert_has(text, "\n pid        self ");
	assert_has(text, "\n4300    +2.0 MiB ");
	assert_has(text, "  [by another task]\n");
	assert_has(text, "  sum; RSS 101.0 MiB → 124.0 MiB\n");
	for (pid_t pid = 10000; pid < 10100; pid++)
		fix_call_process(c, pid, "", 0, 0);
	many = text_of(c, &all);
	assert_has(many, "# pid 10017  CPython 3.12.1  RSS 0 B → 0 B\n# (82 more processes)\n");
	calls_free(c);
}

/* Nothing that a target chose reaches a terminal as it is. */
static void hostile_names_are_escaped_and_cut(void **state)
{
	struct calls *c = fix_calls();
	_cleanup_free_ char *text = NULL;
	char name[5000];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	fix_second_call_process(c);
	fix_call_process(c, 4301, name, 0, 0);
	FIX_CALLS(c, 0, .pid = 4300, .name = name, .file = name, .calls = 1);
	text = text_of(c, &all);
	for (const char *s = text; *s; s++)
		if ((unsigned char)*s < 0x20 && *s != '\n')
			fail_msg("control character %d", *s);
	assert_null(strstr(text, "\u202e"));
	assert_has(text, "evil;\"<&>\\x0a\\x1b]0;\\\\ ü\\xe2\\x80\\xae ");
	assert_has(text, "  /tmp/a;b\\x0a\"c.py:7\n");
	assert_has(text, "nnn...  nnn");
	assert_has(text, "nnn...  CPython");
	assert_true(strlen(text) < 20000);
	calls_free(c);
}

static void why_it_stopped_comes_first(void **state)
{
	struct calls *c = fix_calls();
	_cleanup_free_ char *text = NULL;

	c->stopped = strdup("over the budget of 50 %:\n130 %");
	text = text_of(c, &all);
	assert_memory_equal(text, "# STOPPED EARLY: over the budget of 50 %:\\x0a130 %; ", 50);
	calls_free(c);
}

static void what_was_lost_is_said_in_words(void **state)
{
	struct calls *c = fix_calls();
	_cleanup_free_ char *text = text_of(c, &all), *lost = NULL, *verbose = NULL;

	assert_lacks(text, "lost");
	assert_lacks(text, "greenlets");
	assert_lacks(text, "64 pages");
	c->functions[0].lost = 1;
	c->functions[1].lost = 1500;
	c->unread = 1;
	c->reset = 12;
	c->full = 2;
	c->log_lost = 3;
	c->names_lost = 1;
	c->repeated = 77;
	c->stray = 88;
	c->batched = true;
	lost = text_of(c, &all);
	assert_has(lost, "# this kernel counts RSS in steps of 64 pages (256.0 KiB) per thread");
	assert_has(lost, "# 1,501 calls lost: neither the end nor what followed was seen\n"
			 "# 1 entry or exit lost: frame or code object could not be read\n"
			 "# 12 times a thread's stack was another than any known (greenlets): ");
	assert_has(lost, "# 2 entries lost: a table of calls was full\n"
			 "# 3 events lost from the log: its buffer was full\n"
			 "# 1 code object gone before a name could be read: \"?\"\n");
	assert_lacks(lost, "77");
	assert_lacks(lost, "88");
	verbose = text_of(c, &(struct calls_text_options){.verbose = true});
	assert_has(verbose, "# 77 entries seen by a second probe too, and counted once (no loss)\n"
			    "# 88 hits at which no call begins or ends (no loss)\n");
	calls_free(c);
}

static void slow_probes_are_shown(void **state)
{
	struct calls *c = fix_calls();
	_cleanup_free_ char *text = text_of(c, &all), *verbose = NULL, *slow = NULL;

	assert_lacks(text, "ns per hit");
	verbose = text_of(c, &(struct calls_text_options){.verbose = true});
	assert_has(verbose, "\nprobe                     instruction  ns per hit\n"
			    "RESUME                    jnz                 640\n"
			    "_PyEval_FrameClearAndPop  push                655\n");
	c->sites[1].emulated = false;
	c->sites[1].cost_ns = 9800;
	c->sites[0].cost_ns = 0;
	slow = text_of(c, &all);
	assert_has(slow,
		   "RESUME                    jnz\n"
		   "_PyEval_FrameClearAndPop  push              9,800  single-stepped: slow\n");
	calls_free(c);
}

static void without_exits_it_is_said(void **state)
{
	struct calls *c = fix_calls();
	_cleanup_free_ char *text = NULL;

	c->exits = false;
	text = text_of(c, &(struct calls_text_options){.top = UINT64_MAX, .verbose = true});
	assert_has(text, "; 12,054 entries; probes cost");
	assert_has(text, "# exits were not watched: a call's end was learnt from what ran next");
	assert_lacks(text, "unwinds");
	assert_lacks(text, "returns");
	assert_lacks(text, "yields");
	calls_free(c);
}

static void an_empty_table_is_a_text(void **state)
{
	struct calls *c = fix_no_calls();
	_cleanup_free_ char *text = text_of(c, &all), *wrong = NULL;

	assert_string_equal(text, "# 2023-11-15 12:00:00 to 12:00:30, 30.0 s; 0 entries, 0 exits\n"
				  "RSS 0 B (0 B → 0 B)\n"
				  "\n"
				  "RSS: whose it is\n"
				  "net  bytes\n"
				  "0 B      0  sum; RSS 0 B → 0 B\n");
	/* of a process that was never added */
	calls_free(c);
	c = fix_no_calls();
	FIX_CALLS(c, 0, .pid = 1, .name = "f", .growth = 1);
	wrong = text_of(c, &all);
	assert_has(wrong, "# this does not add up to the change of RSS\n");
	calls_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_adds_up),
		cmocka_unit_test(with_top_all_nothing_is_left),
		cmocka_unit_test(columns_are_there_if_there_is_something_in_them),
		cmocka_unit_test(as_much_came_as_went),
		cmocka_unit_test(a_total_is_enough_to_be_shown),
		cmocka_unit_test(processes_are_told_apart),
		cmocka_unit_test(hostile_names_are_escaped_and_cut),
		cmocka_unit_test(why_it_stopped_comes_first),
		cmocka_unit_test(what_was_lost_is_said_in_words),
		cmocka_unit_test(slow_probes_are_shown),
		cmocka_unit_test(without_exits_it_is_said),
		cmocka_unit_test(an_empty_table_is_a_text),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
