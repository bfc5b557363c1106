/* SPDX-License-Identifier: MIT */
/* Tables of calls: what becomes one row, that each process adds up, the order of rows. */
#include "calls_fixture.h"

#include <errno.h>

static const struct call_function *find(const struct calls *c, const char *name)
{
	for (size_t i = 0; i < c->nr_functions; i++)
		if (!strcmp(c->functions[i].name, name))
			return &c->functions[i];
	fail_msg("no function %s", name);
	return NULL;
}

static void equal_functions_become_one(void **state)
{
	struct calls *c = fix_calls();
	const struct call_function *parse = find(c, "parse"), *drop = find(c, "drop");

	assert_int_equal(c->nr_functions, 6);
	assert_int_equal(parse->calls, 12000);
	assert_int_equal(parse->resumes, 5);
	assert_int_equal(parse->returns, 11988);
	assert_int_equal(parse->yields, 12);
	assert_int_equal(parse->unwinds, 3);
	assert_int_equal(parse->open, 2);
	assert_int_equal(parse->growth, KIB(7168));
	assert_int_equal(parse->shrink, KIB(1024));
	assert_int_equal(calls_self(parse), KIB(6144));
	assert_int_equal(parse->total, KIB(6144));
	assert_int_equal(parse->largest, KIB(1024));
	assert_int_equal(parse->arenas, 1);
	assert_int_equal(parse->pools, 20);
	assert_int_equal(parse->self_ns, 1234567);
	assert_int_equal(drop->largest, 0);
	assert_int_equal(find(c, "main")->largest, INT64_MIN);
	calls_free(c);
}

static void functions_differ_in_each_part_of_their_key(void **state)
{
	static const struct call_function rows[] = {
		{.pid = 1, .name = "f", .file = "a.py", .first_line = 1},
		{.pid = 2, .name = "f", .file = "a.py", .first_line = 1},
		{.pid = 1, .name = "g", .file = "a.py", .first_line = 1},
		{.pid = 1, .name = "f", .file = "b.py", .first_line = 1},
		{.pid = 1, .name = "f", .file = "a.py", .first_line = 2},
		{.pid = 1, .name = "", .file = "a.pyf", .first_line = 1},
		{.pid = 1, .name = NULL, .file = NULL},
	};
	struct calls *c = calls_new();

	for (int twice = 0; twice < 2; twice++)
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			assert_int_equal(calls_add_function(c, &rows[i]), 0);
	assert_int_equal(c->nr_functions, ARRAY_SIZE(rows));
	assert_string_equal(c->functions[6].name, "");
	assert_string_equal(c->functions[6].file, "");
	calls_free(c);
}

static int64_t sum_of(const struct calls *c, const struct call_process *of)
{
	int64_t sum = of->left_out.growth - of->left_out.shrink;

	for (int k = 0; k < PROFILE_CAUSES; k++)
		sum += of->causes[k].growth - of->causes[k].shrink;
	for (size_t i = 0; i < c->nr_functions; i++)
		if (c->functions[i].pid == of->pid)
			sum += calls_self(&c->functions[i]);
	return sum;
}

static void every_process_adds_up_to_its_rss(void **state)
{
	struct calls *c = fix_calls();
	const struct profile_change *unexplained;

	fix_second_call_process(c);
	assert_int_equal(c->nr_processes, 2);
	for (size_t i = 0; i < c->nr_processes; i++)
		assert_int_equal(sum_of(c, &c->processes[i]),
				 c->processes[i].rss_after - c->processes[i].rss_before);
	unexplained = &c->processes[0].causes[PROFILE_UNEXPLAINED];
	assert_int_equal(unexplained->growth, KIB(1728));
	assert_int_equal(unexplained->shrink, 0);
	assert_int_equal(unexplained->events, 0);
	unexplained = &c->processes[1].causes[PROFILE_UNEXPLAINED];
	assert_int_equal(unexplained->growth, 0);
	assert_int_equal(unexplained->shrink, 0);
	/* less than is known: it went; and again, from new figures, the same way */
	c->processes[0].rss_after -= KIB(2000);
	calls_balance(c);
	unexplained = &c->processes[0].causes[PROFILE_UNEXPLAINED];
	assert_int_equal(unexplained->growth, 0);
	assert_int_equal(unexplained->shrink, KIB(272));
	calls_balance(c);
	assert_int_equal(unexplained->shrink, KIB(272));
	calls_free(c);
}

/* Figures are anyone's: sums stop, and nothing wraps. */
static void sums_stop_at_their_limits(void **state)
{
	struct calls *c = calls_new();
	struct call_process *of;

	for (int i = 0; i < 2; i++)
		FIX_CALLS(c, NO_LARGEST, .pid = 1, .calls = UINT64_MAX, .growth = INT64_MAX,
			  .shrink = i, .total = INT64_MIN);
	FIX_CALLS(c, NO_LARGEST, .pid = 1, .name = "g", .growth = INT64_MIN, .shrink = INT64_MAX);
	assert_int_equal(c->functions[0].calls, UINT64_MAX);
	assert_int_equal(c->functions[0].growth, INT64_MAX);
	assert_int_equal(c->functions[0].total, INT64_MIN);
	assert_int_equal(calls_self(&c->functions[1]), INT64_MIN);
	assert_int_equal(calls_add_process(c, 1, &of), 0);
	of->rss_before = INT64_MAX;
	of->rss_after = INT64_MIN;
	of->causes[PROFILE_NO_FRAME].shrink = INT64_MIN;
	calls_balance(c);
	assert_int_equal(of->causes[PROFILE_UNEXPLAINED].growth, 0);
	assert_int_equal(of->causes[PROFILE_UNEXPLAINED].shrink, INT64_MAX);
	calls_free(c);
}

static void a_process_is_added_once(void **state)
{
	struct calls *c = calls_new();
	struct call_process *of;

	for (pid_t pid = 1; pid <= 1000; pid++) {
		assert_int_equal(calls_add_process(c, pid, &of), 0);
		assert_int_equal(of->pid, pid);
		assert_null(of->command);
	}
	assert_int_equal(calls_add_process(c, 500, &of), 0);
	assert_ptr_equal(of, &c->processes[499]);
	assert_int_equal(c->nr_processes, 1000);
	calls_free(c);
}

static void there_is_an_end_to_functions_and_sites(void **state)
{
	const struct call_site site = {.name = "RESUME"};
	struct calls *c = calls_new();
	struct call_function f = {.pid = 1, .name = "f"};

	for (uint32_t i = 0; i < CALLS_MAX_FUNCTIONS; i++) {
		f.first_line = (int32_t)i;
		assert_int_equal(calls_add_function(c, &f), 0);
	}
	f.first_line = -1;
	assert_int_equal(calls_add_function(c, &f), -E2BIG);
	f.first_line = 7; /* what is there goes on counting */
	f.calls = 1;
	assert_int_equal(calls_add_function(c, &f), 0);
	assert_int_equal(c->functions[7].calls, 1);
	for (uint32_t i = 0; i < CALLS_MAX_SITES; i++)
		assert_int_equal(calls_add_site(c, &site), 0);
	assert_int_equal(calls_add_site(c, &site), -E2BIG);
	assert_string_equal(c->sites[0].instruction, "");
	calls_free(c);
}

static void assert_order(struct calls *c, const char *column, const char *expected)
{
	char names[200] = "";

	assert_int_equal(calls_sort(c, column), 0);
	for (size_t i = 0; i < c->nr_functions; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i ? " " : "",
			 *c->functions[i].name ? c->functions[i].name : "?");
	if (strcmp(names, expected) != 0)
		fail_msg("by %s: %s, not %s", column, names, expected);
}

static void any_column_orders_and_names_break_ties(void **state)
{
	struct calls *c = fix_calls();

	assert_order(c, "self", "Loader.load parse ? idle main drop");
	assert_order(c, "total", "Loader.load main parse ? idle drop");
	assert_order(c, "largest", "Loader.load parse ? drop idle main");
	assert_order(c, "calls", "parse Loader.load drop ? main idle");
	assert_order(c, "growth", "Loader.load parse ? drop idle main");
	assert_order(c, "shrink", "parse drop ? Loader.load idle main");
	assert_order(c, "open", "parse main ? Loader.load drop idle");
	assert_order(c, "total_ns", "Loader.load parse ? drop idle main");
	assert_order(c, "first_line", "drop main parse Loader.load idle ?");
	assert_order(c, "name", "? Loader.load drop idle main parse");
	assert_order(c, "file", "? drop idle main Loader.load parse");
	for (size_t i = 0; calls_columns[i]; i++)
		assert_int_equal(calls_sort(c, calls_columns[i]), 0);
	assert_string_equal(calls_columns[0], "self");
	assert_int_equal(calls_sort(c, "selves"), -EINVAL);
	assert_int_equal(calls_sort(c, ""), -EINVAL);
	calls_free(c);
}

static void nothing_is_added_once_they_are_sorted(void **state)
{
	struct calls *c = fix_calls();

	assert_int_equal(calls_sort(c, "self"), 0);
	assert_int_equal(calls_add_function(c, &(struct call_function){.name = "late"}), -EINVAL);
	assert_int_equal(c->nr_functions, 6);
	calls_balance(c); /* the sum does not depend on the order */
	assert_int_equal(c->processes[0].causes[PROFILE_UNEXPLAINED].growth, KIB(1728));
	calls_free(c);
}

static void what_was_lost_makes_it_incomplete(void **state)
{
	struct calls *c = fix_calls();
	uint64_t *const losses[] = {&c->unread,	  &c->reset,	  &c->full,
				    &c->log_lost, &c->names_lost, &c->functions[0].lost};
	struct profile_change *causes = c->processes[0].causes;

	assert_true(calls_incomplete(c)); /* RSS changed and no event told of it */
	c->batched = true;		  /* there it is the kernel's own rest */
	assert_false(calls_incomplete(c));
	c->repeated = c->stray = 3;
	c->functions[0].open = 1;
	assert_false(calls_incomplete(c));
	for (size_t i = 0; i < ARRAY_SIZE(losses); i++) {
		*losses[i] = 1;
		assert_true(calls_incomplete(c));
		*losses[i] = 0;
	}
	causes[PROFILE_WALK_FAILED].events = 1;
	assert_true(calls_incomplete(c));
	causes[PROFILE_WALK_FAILED].events = 0;
	c->stopped = strdup("over the budget");
	assert_true(calls_incomplete(c));
	calls_free(c);
	calls_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_functions_become_one),
		cmocka_unit_test(functions_differ_in_each_part_of_their_key),
		cmocka_unit_test(every_process_adds_up_to_its_rss),
		cmocka_unit_test(sums_stop_at_their_limits),
		cmocka_unit_test(a_process_is_added_once),
		cmocka_unit_test(there_is_an_end_to_functions_and_sites),
		cmocka_unit_test(any_column_orders_and_names_break_ties),
		cmocka_unit_test(nothing_is_added_once_they_are_sorted),
		cmocka_unit_test(what_was_lost_makes_it_incomplete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
