/* SPDX-License-Identifier: MIT */
/*
 * Documents: what is written can be read back to the same text, what is not ours is told apart.
 * Ground truth: texts of interpreters (tests/fixtures/text), and the schema made from the tables.
 */
#include "profile_fixture.h"
#include "schema_fixture.h"

#include "base/fault.h"
#include "model/report.h"
#include "output/json.h"
#include "output/json_profile.h"
#include "output/profile_out.h"
#include "output/stats_text.h"
#include "output/tables.h"

#include <errno.h>

static void parse_fixture(const char *name, struct malloc_stats *ret)
{
	_cleanup_free_ char *text = NULL;
	struct fault f = {0};
	size_t len;

	text = fixture_read(name, &len);
	if (stats_parse(ret, text, len, &f))
		fail_msg("%s: %s", name, f.text);
}

/* With a command line that tries to break JSON and terminals. */
static void make_snapshot(struct snapshot *s, const char *fixture)
{
	*s = (struct snapshot){
		.process = {.pid = 4242,
			    .ns_pid = 7,
			    .ppid = 1,
			    .start_ticks = 123456789012345,
			    .comm = strdup("python3"),
			    .cmdline = strdup("a\\b \"c\" \x1b[31m\xff \u00fc\n"),
			    .exe = strdup("/usr/bin/python3.12")},
		.python = {.version_hex = 0x030c01f0,
			   .shared = true,
			   .shape = SHAPE_DEBUG_FILE,
			   .allocator = ALLOCATOR_PYMALLOC_DEBUG,
			   .nr_interpreters = 2,
			   .layout = "3.12.1",
			   .layout_measured = true},
		.rss = {.anon = 181 << 20, .file = 17 << 20, .swap = 4096},
		.time_ns = 1700000000123456789,
		.paused = true,
		.pause_ns = 1234567,
		.losses = {.arenas_torn = 3, .inconsistent = true},
	};
	if (fixture) {
		s->has_stats = true;
		parse_fixture(fixture, &s->stats);
	}
}

static char *written(json_t *doc, bool one_line)
{
	struct catch c;

	assert_non_null(doc);
	assert_int_equal(json_write(catch_open(&c), doc, one_line), 0);
	json_decref(doc);
	return catch_text(&c);
}

static char *stats_of(const struct malloc_stats *s)
{
	struct catch c;

	stats_print(catch_open(&c), s);
	return catch_text(&c);
}

static void snapshots_come_back_the_same(void **state)
{
	static const char *const names[] = {"text/3.12.1.txt", "text/3.7.16-debug.txt",
					    "text/3.6.15.txt", "text/3.12.1-malloc.txt", NULL};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *text = NULL, *before = NULL, *after = NULL, *again = NULL;
		struct snapshot a, b;
		struct fault f = {0};

		make_snapshot(&a, names[i]);
		text = written(json_snapshot(&a), i % 2);
		if (json_load_snapshot(&b, text, strlen(text), "x.json", &f))
			fail_msg("%s", f.text);
		before = stats_of(&a.stats);
		after = stats_of(&b.stats);
		assert_string_equal(before, after);
		assert_int_equal(a.has_stats, b.has_stats);
		assert_true(stats_equal(&a.stats, &b.stats));
		assert_string_equal(a.process.cmdline, b.process.cmdline);
		assert_null(b.process.container);
		assert_int_equal(b.process.start_ticks, 123456789012345);
		assert_memory_equal(&a.rss, &b.rss, sizeof(a.rss));
		assert_int_equal(a.python.version_hex, b.python.version_hex);
		assert_int_equal(a.python.allocator, b.python.allocator);
		assert_int_equal(a.python.shape, b.python.shape);
		assert_string_equal(a.python.layout, b.python.layout);
		assert_int_equal(b.time_ns, 1700000000123456789);
		assert_int_equal(b.losses.arenas_torn, 3);
		assert_true(b.losses.inconsistent);
		again = written(json_snapshot(&b), i % 2);
		assert_string_equal(text, again);
		snapshot_done(&a);
		snapshot_done(&b);
	}
}

static void one_line_is_one_line(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct snapshot s;

	make_snapshot(&s, "text/3.12.1.txt");
	text = written(json_snapshot(&s), true);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	assert_null(strchr(text, '\x1b'));
	assert_memory_equal(text, "{\"schema\":\"pymemtrace-bpf/1\",\"kind\":\"snapshot\",", 47);
	snapshot_done(&s);
}

static void numbers_stay_exact_or_stop_at_the_limit(void **state)
{
	struct process_id p = {.start_ticks = (1ull << 53) + 1};
	json_t *o = json_object();

	assert_int_equal(fields_to_json(o, &process_table, &p), 0);
	assert_int_equal(json_integer_value(json_object_get(o, "start_ticks")), (1ll << 53) + 1);
	p.start_ticks = UINT64_MAX;
	assert_int_equal(fields_to_json(o, &process_table, &p), 0);
	assert_int_equal(json_integer_value(json_object_get(o, "start_ticks")), INT64_MAX);
	json_decref(o);
}

static void versions_are_words(void **state)
{
	static const struct {
		uint32_t hex;
		const char *text;
	} rows[] = {{0x030c01f0, "3.12.1"},
		    {0x03060ff0, "3.6.15"},
		    {0x030d00c2, "3.13.0rc2"},
		    {0x030e00a7, "3.14.0a7"},
		    {0x030f00b1, "3.15.0b1"}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct python_id p = {.version_hex = rows[i].hex}, q = {0};
		const char *bad = NULL;
		json_t *o = json_object();

		assert_int_equal(fields_to_json(o, &python_table, &p), 0);
		assert_string_equal(json_string_value(json_object_get(o, "version")), rows[i].text);
		assert_int_equal(fields_from_json(o, &python_table, &q, &bad), 0);
		assert_int_equal(q.version_hex, rows[i].hex);
		json_decref(o);
	}
}

static void refuse(const char *text, size_t len, const char *expected)
{
	struct snapshot s;
	struct fault f = {0};

	/* another kind of document is a mistake of the command line, not of the file */
	assert_int_equal(json_load_snapshot(&s, text, len, "x.json", &f),
			 strstr(expected, "kind ") || strstr(expected, "table of calls")
				 ? -EMEDIUMTYPE
				 : -EINVAL);
	if (!strstr(f.text, expected))
		fail_msg("\"%s\" does not say \"%s\"", f.text, expected);
}

static void what_is_not_a_snapshot_is_told_apart(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{"", "x.json is empty"},
		{" \n\n ", "x.json is empty"},
		{"hello", "x.json is not a document of pymemtrace-bpf"},
		{"[1, 2]", "x.json is not a document of pymemtrace-bpf"},
		{"{}", "x.json is not a document of pymemtrace-bpf"},
		{"{\"schema\": 1, \"kind\": 2}", "not a document of pymemtrace-bpf"},
		{"{\"schema\": \"other/1\", \"kind\": \"snapshot\"}",
		 "not a document of pymemtrace"},
		{"{\"schema\": \"pymemtrace-bpf/2\", \"kind\": \"snapshot\"}",
		 "x.json has the schema pymemtrace-bpf/2, this program reads pymemtrace-bpf/1"},
		{"{\"schema\": \"pymemtrace-bpf/1\", \"kind\": \"census\"}",
		 "x.json is a document of kind census"},
		{"{\"schema\": \"pymemtrace-bpf/1\", \"kind\": \"calls\"}",
		 "x.json is a table of calls"},
		{"{\"schema\": \"pymemtrace-bpf/1\", \"kind\": \"snapshot\"}",
		 "x.json: \"time_ns\" is missing or not what it should be"},
		{"{\"schema\": \"pymemtrace-bpf/1\", \"kind\": \"\\u001b[31m\"}", "kind \\x1b[31m"},
		{"{\"a\": 1, \"a\": 2}", "duplicate"},
		{"{\"a\": 1} {\"a\": 1}", "more than one document"},
		{"{\"a\": nonsense}", "x.json is not JSON: line 1"},
		{"{\"a\": 1,", "x.json is cut short in line 1"},
		{"{\"a\": \"b", "x.json is cut short in line 1"},
		{"{\"a\": tru", "x.json is cut short in line 1"},
		{"{\"a\": \"\xff\"}", "not JSON"},
		{"{\"a\": \"\\u0000\"}", "not JSON"},
		{"{\"a\": 99999999999999999999}", "not JSON"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		refuse(rows[i].text, strlen(rows[i].text), rows[i].expected);
}

static void every_cut_is_called_cut_short(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct snapshot s;
	size_t len;

	make_snapshot(&s, "text/3.12.1.txt");
	text = written(json_snapshot(&s), false);
	snapshot_done(&s);
	len = strlen(text) - 1; /* its newline may be missing */
	for (size_t cut = 1; cut < len; cut++) {
		_cleanup_free_ char *head = malloc(cut);

		assert_non_null(head);
		memcpy(head, text, cut);
		refuse(head, cut, "cut short");
	}
}

static void every_missing_member_is_named(void **state)
{
	json_t *doc, *v;
	const char *key;
	void *tmp;
	struct snapshot s;

	make_snapshot(&s, "text/3.12.1.txt");
	doc = json_snapshot(&s);
	snapshot_done(&s);
	json_object_foreach_safe(doc, tmp, key, v)
	{
		json_t *without = json_copy(doc);
		_cleanup_free_ char *text = NULL;

		json_object_del(without, key);
		text = written(without, true);
		refuse(text, strlen(text), "");
	}
	json_decref(doc);
}

/* path: members from the root; the value there is replaced. */
static void refuse_changed(const char *member, const char *inner, json_t *value,
			   const char *expected)
{
	_cleanup_free_ char *text = NULL;
	struct snapshot s;
	json_t *doc, *o;

	make_snapshot(&s, "text/3.12.1.txt");
	doc = json_snapshot(&s);
	snapshot_done(&s);
	o = json_object_get(doc, member);
	if (strcmp(member, "stats") == 0 && strcmp(inner, "free_lists") != 0)
		o = json_object_get(o, "pymalloc");
	assert_int_equal(json_object_set_new(o, inner, value), 0);
	text = written(doc, true);
	refuse(text, strlen(text), expected);
}

static void hostile_values_are_refused(void **state)
{
	json_t *lists = json_array(), *classes;

	refuse_changed("process", "pid", json_integer(1ll << 40), "\"process.pid\"");
	refuse_changed("process", "pid", json_string("1"), "\"process.pid\"");
	refuse_changed("python", "interpreters", json_integer((1ll << 32) + 1),
		       "\"python.interpreters\"");
	refuse_changed("process", "comm", json_integer(1), "\"process.comm\"");
	refuse_changed("python", "version", json_string("3.12.1.2"), "\"python.version\"");
	refuse_changed("python", "version", json_string("-3.12.1"), "\"python.version\"");
	refuse_changed("python", "version", json_string("3.999.1"), "\"python.version\"");
	refuse_changed("python", "allocator", json_string("x"), "\"python.allocator\"");
	refuse_changed("python", "layout", json_string("\x1b[31m"), "\"python.layout\"");
	refuse_changed("rss", "anon_bytes", json_real(1.5), "\"rss.anon_bytes\"");
	refuse_changed("losses", "arenas_torn", json_integer(-1), "\"losses.arenas_torn\"");
	refuse_changed("stats", "nr_classes", json_integer(65), "nr_classes");
	refuse_changed("stats", "nr_classes", json_integer(0), "nr_classes");
	refuse_changed("stats", "alignment_bytes", json_integer(0), "nr_classes");
	refuse_changed("stats", "arena_bytes", json_integer(-1), "arena_bytes");
	refuse_changed("stats", "arena_map", json_array(), "arena_map");
	refuse_changed("stats", "classes", json_object(), "classes");
	classes = json_pack("[{s:i, s:i, s:i, s:i, s:i}]", "class", 32, "block_bytes", 528, "pools",
			    1, "used_blocks", 1, "free_blocks", 1);
	refuse_changed("stats", "classes", classes, "classes.class");
	classes = json_pack("[{s:i, s:i, s:i, s:i, s:i}]", "class", 3, "block_bytes", 64, "pools",
			    0, "used_blocks", 1, "free_blocks", 1);
	refuse_changed("stats", "classes", classes, "classes.class");
	classes = json_pack("[{s:i, s:i, s:i, s:i, s:i}, {s:i, s:i, s:i, s:i, s:i}]", "class", 3,
			    "block_bytes", 64, "pools", 1, "used_blocks", 1, "free_blocks", 1,
			    "class", 3, "block_bytes", 64, "pools", 1, "used_blocks", 1,
			    "free_blocks", 1);
	refuse_changed("stats", "classes", classes, "classes.class");
	for (int i = 0; i < STATS_MAX_FREE_LISTS + 1; i++)
		json_array_append_new(lists, json_pack("{s:s, s:i, s:i}", "type", "X", "count", 1,
						       "item_bytes", 1));
	refuse_changed("stats", "free_lists", lists, "free_lists");
	lists = json_pack("[{s:s, s:i, s:i}]", "type", "0123456789012345678901234567890123456789",
			  "count", 1, "item_bytes", 1);
	refuse_changed("stats", "free_lists", lists, "free_lists.type");
}

static void too_large_and_too_deep(void **state)
{
	size_t len = JSON_MAX_BYTES + 1;
	_cleanup_free_ char *text = malloc(len);
	struct snapshot s;
	struct fault f = {0};

	memset(text, '{', len);
	assert_int_equal(json_load_snapshot(&s, text, len, "x.json", &f), -E2BIG);
	for (size_t i = 0; i + 5 <= 1 << 20; i += 5)
		memcpy(text + i, "{\"a\":", 5);
	assert_int_equal(json_load_snapshot(&s, text, 1 << 20, "x.json", &f), -EINVAL);
}

/* The difference as JSON has the same numbers as the table. */
static void differences_are_signed(void **state)
{
	struct malloc_stats a, b;
	json_t *d, *p, *c;

	parse_fixture("text/3.12.1.txt", &a);
	b = a;
	b.allocated_bytes -= 16;
	b.arenas_current += 2;
	b.classes[0].used--;
	b.free_lists[0].count -= 4;
	snprintf(b.free_lists[1].type, sizeof(b.free_lists[1].type), "PyOther");
	d = json_stats_diff(&a, &b);
	p = json_object_get(d, "pymalloc");
	assert_int_equal(json_integer_value(json_object_get(p, "allocated_bytes")), -16);
	assert_int_equal(json_integer_value(json_object_get(p, "arenas_current")), 2);
	assert_int_equal(json_integer_value(json_object_get(p, "arena_bytes")), 1 << 20);
	assert_int_equal(json_array_size(json_object_get(p, "classes")), 1);
	c = json_array_get(json_object_get(p, "classes"), 0);
	assert_int_equal(json_integer_value(json_object_get(c, "block_bytes")), 16);
	assert_int_equal(json_integer_value(json_object_get(c, "used_blocks")), -1);
	assert_int_equal(json_integer_value(json_object_get(c, "pools")), 0);
	assert_int_equal(json_array_size(json_object_get(d, "free_lists")), 3);
	json_decref(d);
}

static void every_document_follows_the_schema(void **state)
{
	struct snapshot s;
	struct snapshot later;
	struct list_row row = {.arenas = -1, .supported = true};
	size_t kind;

	make_snapshot(&s, "text/3.7.16-debug.txt");
	check_document(json_snapshot(&s), &kind);
	assert_int_equal(kind, 0);
	later = s; /* borrows its strings */
	later.stats.allocated_bytes -= 1;
	later.stats.classes[3].used -= 1;
	later.stats.free_lists[0].count -= 1;
	check_document(json_diff(&s, &later), &kind);
	assert_int_equal(kind, 1);
	{
		struct report_state r = {.process = &s.process,
					 .python = &s.python,
					 .stats = &s.stats,
					 .rss = s.rss};

		check_document(json_report_state(&r), &kind);
		assert_int_equal(kind, 2);
		r.stats = NULL;
		check_document(json_report_state(&r), &kind);
	}
	for (int source = SOURCE_NONE; source <= SOURCE_STATE; source++) {
		struct report_change c = {
			.arenas = source, .pools = source, .pools_net = -3, .before = s.rss};

		if (source != SOURCE_NONE) {
			c.stats_before = &s.stats;
			c.stats_after = &later.stats;
		}
		check_document(json_report_change(&c), &kind);
		assert_int_equal(kind, 3);
	}
	{
		json_t *doc = json_document("list"), *rows = json_array();

		row.process = s.process;
		json_array_append_new(rows, json_list_row(&row));
		json_object_set_new(doc, "processes", rows);
		json_object_set_new(doc, "denied", json_integer(0));
		check_document(doc, &kind);
		assert_int_equal(kind, 5);
	}
	snapshot_done(&s);
	make_snapshot(&s, NULL);
	check_document(json_snapshot(&s), &kind);
	snapshot_done(&s);
	make_snapshot(&s, "text/3.15.0-debian.txt");
	check_document(json_snapshot(&s), &kind);
	snapshot_done(&s);
}

static int64_t net_of(const json_t *change)
{
	return json_integer_value(json_object_get(change, "growth_bytes")) -
	       json_integer_value(json_object_get(change, "shrink_bytes"));
}

/* For each process: its rows of RSS and all its causes are the change of its RSS. */
static void assert_profile_adds_up(const json_t *doc)
{
	json_t *threads = json_object_get(doc, "threads"), *process, *row, *cause;
	const char *name;
	size_t i, k;

	json_array_foreach (json_object_get(doc, "processes"), i, process) {
		int64_t pid = json_integer_value(json_object_get(process, "pid")), sum = 0;

		json_array_foreach (json_object_get(doc, "rows"), k, row) {
			json_int_t t = json_integer_value(json_object_get(row, "thread"));
			json_t *thread = json_array_get(threads, (size_t)t);

			if (json_integer_value(json_object_get(thread, "pid")) == pid &&
			    !strcmp(json_string_value(json_object_get(row, "event")), "rss"))
				sum += net_of(row);
		}
		json_object_foreach (json_object_get(json_object_get(process, "causes"), "rss"),
				     name, cause)
			sum += net_of(cause);
		assert_int_equal(
			sum,
			json_integer_value(json_object_get(process, "rss_after_bytes")) -
				json_integer_value(json_object_get(process, "rss_before_bytes")));
	}
}

static void profiles_follow_the_schema_and_add_up(void **state)
{
	struct profile_view view = {.pid = 4300};
	struct profile *p = fix_profile(), *empty = fix_empty();
	json_t *doc, *change;
	size_t kind;

	fix_second_process(p);
	assert_int_equal(profile_add_arena(p, &(struct profile_arena){.pid = 4242,
								      .stack = PROFILE_NONE,
								      .thread = PROFILE_NONE}),
			 0);
	doc = json_profile(p, &(struct profile_view){0});
	assert_profile_adds_up(doc);
	assert_int_equal(json_array_size(json_object_get(doc, "rows")), p->nr_rows);
	assert_int_equal(json_array_size(json_object_get(doc, "stacks")), p->nr_stacks);
	assert_int_equal(json_array_size(json_object_get(doc, "functions")), 7 + 4);
	check_document(doc, &kind);
	assert_int_equal(kind, 7);
	doc = json_profile(p, &view); /* of one process */
	assert_profile_adds_up(doc);
	assert_int_equal(json_array_size(json_object_get(doc, "rows")), 1);
	assert_int_equal(json_array_size(json_object_get(doc, "processes")), 1);
	assert_int_equal(json_array_size(json_object_get(doc, "arenas")), 0);
	check_document(doc, &kind);
	check_document(json_profile(empty, &(struct profile_view){0}), &kind);
	assert_int_equal(kind, 7);
	change = json_report_change(&(struct report_change){0});
	json_object_set_new(change, "functions", json_functions(p, 0, 10));
	json_object_set_new(change, "attribution", json_attribution(p, 0));
	check_document(change, &kind);
	assert_int_equal(kind, 3);
	profile_free(empty);
	profile_free(p);
}

static void pools_have_a_name_for_each_source(void **state)
{
	struct report_change c = {.pools = SOURCE_EVENTS,
				  .pools_taken = 761,
				  .pools_net = 12,
				  .pools_taken_by_class = {[2] = 700}};
	json_t *doc = json_report_change(&c);

	assert_int_equal(json_integer_value(json_object_get(doc, "pools_taken_events")), 761);
	assert_int_equal(
		json_integer_value(json_array_get(json_object_get(doc, "pools_taken_by_class"), 2)),
		700);
	assert_null(json_object_get(doc, "pools_net_from_state"));
	assert_null(json_object_get(doc, "arenas_taken_events"));
	json_decref(doc);
	c.pools = SOURCE_STATE;
	c.arenas = SOURCE_STATE;
	doc = json_report_change(&c);
	assert_int_equal(json_integer_value(json_object_get(doc, "pools_net_from_state")), 12);
	assert_null(json_object_get(doc, "pools_taken_events"));
	assert_non_null(json_object_get(doc, "arenas_taken_from_state"));
	assert_null(json_object_get(doc, "arenas_taken_events"));
	json_decref(doc);
}

static void a_write_that_fails_is_told(void **state)
{
	FILE *full = fopen("/dev/full", "we");
	json_t *doc = json_document("snapshot");

	assert_non_null(full);
	setbuf(full, NULL);
	assert_true(json_write(full, doc, false) < 0);
	assert_int_equal(json_write(full, NULL, false), -ENOMEM);
	json_decref(doc);
	fclose(full);
}

static void rows_are_found_compared_and_shown(void **state)
{
	char cell[32], name[] = "b\x1b", other[] = "a";
	struct list_row a = {.process = {.pid = 10, .cmdline = name},
			     .resident = 5 << 20,
			     .arenas = -1,
			     .python = {.version_hex = 0x030c01f0}};
	struct list_row b = {.process = {.pid = 9, .cmdline = other}, .resident = 6 << 20};
	const struct field *rss = fields_find(&list_table, "rss");
	const struct field *command = fields_find(&list_table, "command");
	const struct field *container = fields_find(&list_table, "container");

	assert_null(fields_find(&list_table, "nonsense"));
	assert_true(fields_compare(rss, &a, &b) > 0); /* the larger first */
	assert_true(fields_compare(command, &a, &b) > 0);
	assert_int_equal(fields_compare(container, &a, &b), 0);
	b.process.container = other;
	assert_true(fields_compare(container, &a, &b) > 0); /* unknown last */
	assert_string_equal(fields_cell(rss, &a, cell, sizeof(cell)), "5.0 MiB");
	assert_string_equal(fields_cell(command, &a, cell, sizeof(cell)), "b\\x1b");
	assert_string_equal(fields_cell(container, &a, cell, sizeof(cell)), "-");
	assert_string_equal(fields_cell(fields_find(&list_table, "arenas"), &a, cell, 32), "-");
	assert_string_equal(fields_cell(fields_find(&list_table, "arenas"), &b, cell, 32), "0");
	assert_string_equal(fields_cell(fields_find(&list_table, "version"), &a, cell, 32),
			    "3.12.1");
	assert_string_equal(fields_cell(fields_find(&list_table, "version"), &b, cell, 32), "-");
	assert_string_equal(fields_cell(fields_find(&list_table, "supported"), &b, cell, 32), "no");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(snapshots_come_back_the_same),
		cmocka_unit_test(one_line_is_one_line),
		cmocka_unit_test(numbers_stay_exact_or_stop_at_the_limit),
		cmocka_unit_test(versions_are_words),
		cmocka_unit_test(what_is_not_a_snapshot_is_told_apart),
		cmocka_unit_test(every_cut_is_called_cut_short),
		cmocka_unit_test(every_missing_member_is_named),
		cmocka_unit_test(hostile_values_are_refused),
		cmocka_unit_test(too_large_and_too_deep),
		cmocka_unit_test(differences_are_signed),
		cmocka_unit_test(every_document_follows_the_schema),
		cmocka_unit_test(profiles_follow_the_schema_and_add_up),
		cmocka_unit_test(pools_have_a_name_for_each_source),
		cmocka_unit_test(a_write_that_fails_is_told),
		cmocka_unit_test(rows_are_found_compared_and_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
