/* SPDX-License-Identifier: MIT */
/* Kinds of memory in groups, and sums of rows. */
#include "fixture.h"

#include "model/explanation.h"

/* Sums from the first to the last kind of a group depend on it. */
static void a_group_is_one_run_of_kinds(void **state)
{
	bool seen[MEMORY_GROUPS] = {false};
	enum memory_group last = MEMORY_GROUPS;

	for (int k = 0; k < MEMORY_KINDS; k++) {
		enum memory_group g = memory_kind_group((enum memory_kind)k);

		assert_true(g < MEMORY_GROUPS);
		if (g != last)
			assert_false(seen[g]);
		seen[g] = true;
		last = g;
	}
	for (int g = 0; g < MEMORY_GROUPS; g++)
		assert_true(seen[g]);
	assert_int_equal(memory_kind_group(MEMORY_MMAPPED), GROUP_HEAP);
	assert_int_equal(memory_kind_group(MEMORY_DATA_STACK), GROUP_STACKS);
	assert_int_equal(memory_kind_group(MEMORY_KINDS), GROUP_ANONYMOUS);
}

static void groups_have_names_of_their_own(void **state)
{
	for (int i = 0; i < MEMORY_GROUPS; i++) {
		assert_non_null(memory_group_text((enum memory_group)i));
		for (int j = 0; j < i; j++) {
			assert_string_not_equal(memory_group_name((enum memory_group)i),
						memory_group_name((enum memory_group)j));
			assert_string_not_equal(memory_group_text((enum memory_group)i),
						memory_group_text((enum memory_group)j));
		}
	}
	assert_string_equal(memory_group_name(MEMORY_GROUPS), "unknown");
	assert_string_equal(memory_group_text(MEMORY_GROUPS), "unknown");
}

static void sums_take_both_ends(void **state)
{
	struct explanation_row rows[] = {
		{.kind = MEMORY_PY_OVERHEAD, .bytes = 1}, {.kind = MEMORY_HEAP_USED, .bytes = 10},
		{.kind = MEMORY_STACK, .bytes = 100},	  {.kind = MEMORY_ARENA_TOP, .bytes = 1000},
		{.kind = MEMORY_STACK, .bytes = 10000},
	};
	struct explanation e = {.rows = rows, .nr_rows = ARRAY_SIZE(rows)};

	assert_int_equal(explanation_bytes(&e, MEMORY_HEAP_USED, MEMORY_ARENA_TOP), 1010);
	assert_int_equal(explanation_bytes(&e, MEMORY_STACK, MEMORY_STACK), 10100);
	assert_int_equal(explanation_bytes(&e, MEMORY_SHARED, MEMORY_SHARED), 0);
	assert_int_equal(explanation_bytes(&e, 0, MEMORY_KINDS - 1), 11111);
}

/* Under the sanitizer: everything it owns is freed, and twice is no harm. */
static void done_frees_all(void **state)
{
	struct explanation e = {.nr_rows = 2}, none = {0};

	e.rows = calloc(2, sizeof(*e.rows));
	assert_non_null(e.rows);
	e.rows[0].name = strdup("libc.so.6");
	e.process.comm = strdup("python3");
	e.cgroup.path = strdup("/a");
	e.cgroup.limit_path = strdup("/");
	explanation_done(&e);
	assert_memory_equal(&e, &none, sizeof(e));
	explanation_done(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_group_is_one_run_of_kinds),
		cmocka_unit_test(groups_have_names_of_their_own),
		cmocka_unit_test(sums_take_both_ends),
		cmocka_unit_test(done_frees_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
