/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "output/table.h"

static char *printed(const struct table *t, size_t width, bool headings)
{
	struct catch c;

	assert_int_equal(table_print(catch_open(&c), t, width, headings), 0);
	return catch_text(&c);
}

static void fill(struct table *t)
{
	static const char *const cells[] = {"1",    "3.12.1", "1.0 KiB",   "python app.py",
					    "4242", "-",      "198.2 MiB", ""};

	table_column(t, "PID", true);
	table_column(t, "PYTHON", false);
	table_column(t, "RSS", true);
	table_column(t, "COMMAND", false);
	for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
		table_cell(t, cells[i]);
}

static void columns_fit_their_widest_cell(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct table t = {0};

	fill(&t);
	text = printed(&t, 0, true);
	assert_string_equal(text, " PID  PYTHON        RSS  COMMAND\n"
				  "   1  3.12.1    1.0 KiB  python app.py\n"
				  "4242  -       198.2 MiB\n");
	table_done(&t);
}

static void without_headings_they_take_no_room(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct table t = {0};

	table_column(&t, "LONG HEADING", true);
	table_column(&t, "B", false);
	table_cell(&t, "1");
	table_cell(&t, "x");
	text = printed(&t, 0, false);
	assert_string_equal(text, "1  x\n");
	table_done(&t);
}

static void the_last_column_is_cut_to_a_terminal(void **state)
{
	_cleanup_free_ char *text = NULL, *narrow = NULL;
	struct table t = {0};

	fill(&t);
	text = printed(&t, 36, true);
	assert_string_equal(text, " PID  PYTHON        RSS  COMMAND\n"
				  "   1  3.12.1    1.0 KiB  python a...\n"
				  "4242  -       198.2 MiB\n");
	narrow = printed(&t, 10, false);
	assert_non_null(strstr(narrow, "1.0 KiB  pytho...\n"));
	table_done(&t);
}

static void utf8_is_counted_in_columns(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct table t = {0};

	table_column(&t, "A", false);
	table_column(&t, "B", false);
	table_cell(&t, "gr\u00fc\u00df");
	table_cell(&t, "x");
	table_cell(&t, "four");
	table_cell(&t, "\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc");
	text = printed(&t, 14, true);
	assert_string_equal(text, "A     B\n"
				  "gr\u00fc\u00df  x\n"
				  "four  \u00fc\u00fc\u00fc\u00fc\u00fc...\n");
	table_done(&t);
}

static void no_rows_no_columns(void **state)
{
	_cleanup_free_ char *text = NULL, *nothing = NULL;
	struct table t = {0}, empty = {0};

	table_column(&t, "PID", true);
	table_column(&t, "COMMAND", false);
	text = printed(&t, 0, true);
	assert_string_equal(text, "PID  COMMAND\n");
	nothing = printed(&empty, 0, true);
	assert_string_equal(nothing, "");
	table_done(&t);
	table_done(&empty);
}

static void many_rows(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct table t = {0};
	unsigned int lines = 0;

	table_column(&t, "N", true);
	for (int i = 0; i < 1000; i++) {
		char n[16];

		snprintf(n, sizeof(n), "%d", i);
		table_cell(&t, n);
	}
	text = printed(&t, 0, false);
	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 1000);
	assert_memory_equal(text, "  0\n  1\n", 8);
	table_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_fit_their_widest_cell),
		cmocka_unit_test(without_headings_they_take_no_room),
		cmocka_unit_test(the_last_column_is_cut_to_a_terminal),
		cmocka_unit_test(utf8_is_counted_in_columns),
		cmocka_unit_test(no_rows_no_columns),
		cmocka_unit_test(many_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
