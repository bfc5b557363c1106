/* SPDX-License-Identifier: MIT */
/* Tables of calls as documents, from made-up ones (calls_fixture.h). */
#include "calls_fixture.h"
#include "schema_fixture.h"

#include "output/json_calls.h"
#include "output/tables.h"

#define KIND 8 /* among those of the schema */

static json_t *find(const json_t *doc, const char *array, const char *member, const char *text)
{
	json_t *v;
	size_t i;

	json_array_foreach (json_object_get(doc, array), i, v) {
		const char *s = json_string_value(json_object_get(v, member));

		if (s && !strcmp(s, text))
			return v;
	}
	fail_msg("no %s in %s", text, array);
	return NULL;
}

static json_int_t number(const json_t *o, const char *member)
{
	const json_t *v = json_object_get(o, member);

	if (!json_is_integer(v))
		fail_msg("%s is no number", member);
	return json_integer_value(v);
}

static bool is_null(const json_t *o, const char *member)
{
	return json_is_null(json_object_get(o, member));
}

static json_int_t net(const json_t *change)
{
	return number(change, "growth_bytes") - number(change, "shrink_bytes");
}

static void every_figure_has_a_name(void **state)
{
	struct calls *c = fix_calls();
	json_t *doc = json_calls(c), *parse = find(doc, "functions", "name", "parse");
	json_t *site = find(doc, "sites", "name", "RESUME");
	size_t kind;

	assert_string_equal(json_string_value(json_object_get(doc, "kind")), "calls");
	assert_int_equal(number(doc, "begin_ns"), FIX_NOON);
	assert_int_equal(number(doc, "entries"), 12054);
	assert_int_equal(number(doc, "exits_seen"), 12051);
	assert_int_equal(number(doc, "cost_ns"), 4500000000);
	assert_true(is_null(doc, "stopped"));
	assert_int_equal(number(parse, "pid"), FIX_PID);
	assert_int_equal(number(parse, "self"), KIB(6144));
	assert_int_equal(number(parse, "growth"), KIB(7168));
	assert_int_equal(number(parse, "shrink"), KIB(1024));
	assert_int_equal(number(parse, "total"), KIB(6144));
	assert_int_equal(number(parse, "largest"), KIB(1024));
	assert_int_equal(number(parse, "calls"), 12000);
	assert_int_equal(number(parse, "resumes"), 5);
	assert_int_equal(number(parse, "returns"), 11988);
	assert_int_equal(number(parse, "yields"), 12);
	assert_int_equal(number(parse, "unwinds"), 3);
	assert_int_equal(number(parse, "lost"), 0);
	assert_int_equal(number(parse, "open"), 2);
	assert_int_equal(number(parse, "arenas"), 1);
	assert_int_equal(number(parse, "pools"), 20);
	assert_int_equal(number(parse, "first_line"), 80);
	assert_string_equal(json_string_value(json_object_get(parse, "file")), "/srv/app/load.py");
	assert_true(is_null(find(doc, "functions", "name", "main"), "largest"));
	assert_int_equal(number(find(doc, "functions", "name", "drop"), "self"), -KIB(512));
	assert_int_equal(number(find(doc, "functions", "name", "drop"), "largest"), 0);
	assert_int_equal(json_array_size(json_object_get(doc, "functions")), 6);
	assert_string_equal(json_string_value(json_object_get(site, "instruction")), "jnz");
	assert_int_equal(number(site, "cost_ns"), 640);
	assert_true(json_is_true(json_object_get(site, "emulated")));
	check_document(doc, &kind);
	assert_int_equal(kind, KIND);
	calls_free(c);
}

static void what_is_not_known_is_null(void **state)
{
	struct calls *c = fix_calls();
	json_t *doc, *load, *unnamed;
	size_t kind;

	c->sites[0].cost_ns = 0;
	free(c->processes[0].command);
	c->processes[0].command = NULL;
	doc = json_calls(c);
	load = find(doc, "functions", "name", "Loader.load");
	assert_true(is_null(load, "self_ns"));
	assert_true(is_null(load, "total_ns"));
	assert_int_equal(number(load, "returns"), 40);
	unnamed = json_array_get(json_object_get(doc, "functions"), 5);
	assert_true(is_null(unnamed, "name"));
	assert_true(is_null(unnamed, "file"));
	assert_true(is_null(unnamed, "first_line"));
	assert_true(is_null(find(doc, "sites", "name", "RESUME"), "cost_ns"));
	check_document(doc, &kind);
	c->timed = true;
	c->exits = false;
	c->stopped = strdup("over the budget");
	doc = json_calls(c);
	load = find(doc, "functions", "name", "Loader.load");
	assert_int_equal(number(load, "self_ns"), 640);
	assert_int_equal(number(load, "total_ns"), 2500000000);
	assert_true(is_null(load, "returns"));
	assert_true(is_null(load, "yields"));
	assert_true(is_null(load, "unwinds"));
	assert_string_equal(json_string_value(json_object_get(doc, "stopped")), "over the budget");
	check_document(doc, &kind);
	assert_int_equal(kind, KIND);
	calls_free(c);
}

/* From the document alone, as a reader of it would. */
static void each_process_adds_up(void **state)
{
	struct calls *c = fix_calls();
	json_t *doc, *process, *function, *cause;
	const char *name;
	size_t i, k;

	fix_second_call_process(c);
	doc = json_calls(c);
	assert_int_equal(json_array_size(json_object_get(doc, "processes")), 2);
	json_array_foreach (json_object_get(doc, "processes"), i, process) {
		json_int_t sum = net(json_object_get(process, "left_out"));

		json_object_foreach (json_object_get(process, "causes"), name, cause)
			sum += net(cause);
		json_array_foreach (json_object_get(doc, "functions"), k, function)
			if (number(function, "pid") == number(process, "pid"))
				sum += number(function, "self");
		assert_int_equal(sum, number(process, "rss_after_bytes") -
					      number(process, "rss_before_bytes"));
	}
	assert_int_equal(number(json_object_get(find(doc, "processes", "command", "python3 app.py"),
						"left_out"),
				"events"),
			 4);
	json_decref(doc);
	calls_free(c);
}

static void losses_are_apart_from_what_is_none(void **state)
{
	struct calls *c = fix_calls();
	json_t *doc, *losses, *v;
	const char *name;
	size_t kind;

	c->repeated = 7;
	c->stray = 8;
	doc = json_calls(c);
	losses = json_object_get(doc, "losses");
	assert_int_equal(json_object_size(losses), 5);
	json_object_foreach (losses, name, v)
		assert_int_equal(json_integer_value(v), 0);
	assert_int_equal(number(doc, "repeated"), 7);
	assert_int_equal(number(doc, "stray"), 8);
	json_decref(doc);
	c->unread = 1;
	c->reset = 2;
	c->full = 3;
	c->log_lost = 4;
	c->names_lost = UINT64_MAX;
	doc = json_calls(c);
	losses = json_object_get(doc, "losses");
	assert_int_equal(number(losses, "unread"), 1);
	assert_int_equal(number(losses, "reset"), 2);
	assert_int_equal(number(losses, "full"), 3);
	assert_int_equal(number(losses, "log_lost"), 4);
	assert_int_equal(number(losses, "names_lost"), INT64_MAX);
	check_document(doc, &kind);
	calls_free(c);
}

/* --sort takes the names of the document, all of them. */
static void columns_are_members(void **state)
{
	struct calls *c = fix_calls();
	json_t *doc = json_calls(c), *function, *v;
	const char *name;
	size_t nr = 0;

	function = json_array_get(json_object_get(doc, "functions"), 0);
	for (; calls_columns[nr]; nr++)
		assert_non_null(json_object_get(function, calls_columns[nr]));
	assert_int_equal(json_object_size(function), nr);
	json_object_foreach (function, name, v)
		assert_int_equal(calls_sort(c, name), 0);
	json_decref(doc);
	assert_int_equal(calls_sort(c, "name"), 0);
	doc = json_calls(c);
	function = json_array_get(json_object_get(doc, "functions"), 1);
	assert_string_equal(json_string_value(json_object_get(function, "name")), "Loader.load");
	json_decref(doc);
	calls_free(c);
}

static void hostile_names_stay_one_line(void **state)
{
	struct calls *c = fix_calls();
	_cleanup_free_ char *text = NULL;
	struct catch caught;
	json_error_t error;
	json_t *doc;
	size_t kind;

	fix_second_call_process(c);
	assert_int_equal(calls_write_json(catch_open(&caught), c), 0);
	text = catch_text(&caught);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	assert_null(strchr(text, '\x1b'));
	assert_non_null(strstr(text, "evil;\\\"<&>\\\\x0a\\\\x1b]0;"));
	doc = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	assert_non_null(doc);
	check_document(doc, &kind);
	assert_int_equal(kind, KIND);
	calls_free(c);
}

static void an_empty_table_follows_the_schema(void **state)
{
	struct calls *c = calls_new();
	size_t kind;

	check_document(json_calls(c), &kind);
	assert_int_equal(kind, KIND);
	calls_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_figure_has_a_name),
		cmocka_unit_test(what_is_not_known_is_null),
		cmocka_unit_test(each_process_adds_up),
		cmocka_unit_test(losses_are_apart_from_what_is_none),
		cmocka_unit_test(columns_are_members),
		cmocka_unit_test(hostile_names_stay_one_line),
		cmocka_unit_test(an_empty_table_follows_the_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
