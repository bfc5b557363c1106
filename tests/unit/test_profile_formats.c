/* SPDX-License-Identifier: MIT */
/*
 * Profiles for other programs, from made-up ones (profile_fixture.h): folded stacks, speedscope, and
 * the choice of a format.
 */
#include "profile_fixture.h"

#include "base/fault.h"
#include "output/json_profile.h"
#include "output/profile_label.h"
#include "output/profile_out.h"

#include <jansson.h>

static char *written(const struct profile *p, const struct profile_view *view, const char *format)
{
	struct fault f = {0};
	struct catch c;

	if (profile_write(catch_open(&c), p, view, format, &f))
		fail_msg("%s: %s", format, f.text);
	return catch_text(&c);
}

#define ROOT_FRAMES "<module> (/srv/app/app.py:400);main (/srv/app/app.py:215);"
#define LOAD_FRAME  "Loader.load (/srv/app/load.py:48);"

static void folded_lines_are_the_change_of_rss(void **state)
{
	struct profile *p = fix_profile();
	_cleanup_free_ char *text = written(p, &(struct profile_view){0}, "folded");

	assert_string_equal(
		text, ROOT_FRAMES
		"Loader.load (/srv/app/load.py:47) 25165824\n" ROOT_FRAMES LOAD_FRAME
		"parse (/srv/app/load.py:85) 31457280\n" ROOT_FRAMES LOAD_FRAME
		"parse (/srv/app/load.py:91);parse (/srv/app/load.py:91);parse "
		"(/srv/app/load.py:90) 1048576\n"
		"[shrinkage];<module> (/srv/app/app.py:400);main (/srv/app/app.py:220);"
		"drop (/srv/app/app.py:301) 6291456\n" ROOT_FRAMES
		"Loader.load (/srv/app/load.py:50);<native: libx.so> (/usr/lib/libx.so) "
		"2097152\n"
		"[truncated];" LOAD_FRAME "parse (/srv/app/load.py:85) 524288\n"
		"[no Python thread] 7340032\n"
		"[shrinkage];[by another task] 2097152\n"
		"[unexplained] 3670016\n");
	profile_free(p);
}

/* The number at the end of each line; those of [shrinkage] count against the others. */
static int64_t folded_sum(char *text)
{
	int64_t sum = 0;
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		const char *number = strrchr(line, ' ');

		if (!number)
			continue;
		sum += (strstr(line, "[shrinkage];") == line ? -1 : 1) * atoll(number + 1);
	}
	return sum;
}

static void folded_with_other_roots(void **state)
{
	struct profile *p = fix_profile();
	_cleanup_free_ char *arenas = NULL, *inverted = NULL, *several = NULL, *one = NULL;

	arenas = written(p, &(struct profile_view){.events = 1u << PROFILE_ARENA}, "folded");
	assert_string_equal(arenas,
			    "[shrinkage];" ROOT_FRAMES "Loader.load (/srv/app/load.py:47) "
			    "1048576\n" ROOT_FRAMES LOAD_FRAME "parse (/srv/app/load.py:85) "
			    "2097152\n");
	inverted = written(p, &(struct profile_view){.inverted = true}, "folded");
	assert_non_null(strstr(inverted, "parse (/srv/app/load.py:85);Loader.load "
					 "(/srv/app/load.py:48);[truncated] 524288\n"));
	assert_non_null(strstr(inverted, "\n[unexplained] 3670016\n"));
	fix_second_process(p);
	several = written(p, &(struct profile_view){.by_thread = true}, "folded");
	assert_non_null(strstr(several,
			       "pid 4242 (python3 app.py);thread 4243 (worker);" ROOT_FRAMES
			       "Loader.load (/srv/app/load.py:47) 4194304\n"));
	assert_non_null(strstr(
		several, "pid 4300 (worker \\x1b[31m\"x\":y);thread 4300 (w\\x0a:\\x1b);"
			 "evil:\"<&>\\x0a\\x1b]0:\\\\ ü\\xe2\\x80\\xae (/tmp/a:b\\x0a\"c.py:9) "
			 "2097152\n"));
	assert_int_equal(folded_sum(several), KIB(61440 + 3072));
	one = written(p, &(struct profile_view){.pid = 4300}, "folded");
	assert_null(strstr(one, "pid "));
	assert_int_equal(folded_sum(one), KIB(3072));
	profile_free(p);
}

static json_t *speedscope_of(const struct profile *p, const struct profile_view *view)
{
	_cleanup_free_ char *text = written(p, view, "speedscope");
	json_t *doc = json_loads(text, 0, NULL);

	assert_non_null(doc);
	return doc;
}

/*
 * What https://www.speedscope.app/file-format-schema.json asks of "sampled" profiles; returns the
 * sum of weights.
 */
static int64_t check_profile(const json_t *doc, const json_t *profile)
{
	size_t frames = json_array_size(json_object_get(json_object_get(doc, "shared"), "frames"));
	json_t *samples = json_object_get(profile, "samples"), *sample, *frame;
	json_t *weights = json_object_get(profile, "weights");
	int64_t sum = 0;
	size_t i, k;

	assert_string_equal(json_string_value(json_object_get(profile, "type")), "sampled");
	assert_string_equal(json_string_value(json_object_get(profile, "unit")), "bytes");
	assert_true(json_is_string(json_object_get(profile, "name")));
	assert_int_equal(json_integer_value(json_object_get(profile, "startValue")), 0);
	assert_int_equal(json_array_size(samples), json_array_size(weights));
	json_array_foreach (samples, i, sample) {
		assert_true(json_integer_value(json_array_get(weights, i)) > 0);
		sum += json_integer_value(json_array_get(weights, i));
		assert_true(json_array_size(sample) > 0);
		json_array_foreach (sample, k, frame)
			assert_true(json_is_integer(frame) &&
				    json_integer_value(frame) < (json_int_t)frames);
	}
	assert_int_equal(json_integer_value(json_object_get(profile, "endValue")), sum);
	return sum;
}

static int64_t check_speedscope(const json_t *doc, size_t at, const char *name)
{
	const json_t *profile = json_array_get(json_object_get(doc, "profiles"), at);

	assert_string_equal(json_string_value(json_object_get(profile, "name")), name);
	return check_profile(doc, profile);
}

static const char *frame_member(const json_t *doc, const json_t *sample, size_t at,
				const char *member)
{
	json_t *frames = json_object_get(json_object_get(doc, "shared"), "frames");
	json_int_t i = json_integer_value(json_array_get(sample, at));

	return json_string_value(json_object_get(json_array_get(frames, (size_t)i), member));
}

static void speedscope_has_both_directions(void **state)
{
	struct profile *p = fix_profile();
	json_t *doc = speedscope_of(p, &(struct profile_view){0}), *first, *sample, *frame;

	assert_string_equal(json_string_value(json_object_get(doc, "$schema")),
			    "https://www.speedscope.app/file-format-schema.json");
	assert_string_equal(json_string_value(json_object_get(doc, "exporter")),
			    "pymemtrace-bpf 0.1.0");
	assert_int_equal(json_array_size(json_object_get(doc, "profiles")), 4);
	/* gross: stacks and causes */
	assert_int_equal(check_speedscope(doc, 0, "RSS growth"), KIB(69120 + 8192 + 3584));
	assert_int_equal(check_speedscope(doc, 1, "RSS shrinkage"), KIB(16384 + 3072));
	assert_int_equal(check_speedscope(doc, 2, "arenas growth"), KIB(2048));
	assert_int_equal(check_speedscope(doc, 3, "arenas shrinkage"), KIB(1024));
	first = json_object_get(json_array_get(json_object_get(doc, "profiles"), 0), "samples");
	sample = json_array_get(first, 0);
	assert_int_equal(json_array_size(sample), 3);
	assert_string_equal(frame_member(doc, sample, 0, "name"), "<module>");
	assert_string_equal(frame_member(doc, sample, 2, "name"), "Loader.load");
	assert_string_equal(frame_member(doc, sample, 2, "file"), "/srv/app/load.py");
	frame = json_array_get(json_object_get(json_object_get(doc, "shared"), "frames"),
			       (size_t)json_integer_value(json_array_get(sample, 2)));
	assert_int_equal(json_integer_value(json_object_get(frame, "line")), 47);
	sample = json_array_get(first, json_array_size(first) - 1);
	assert_string_equal(frame_member(doc, sample, 0, "name"), "[unexplained]");
	json_decref(doc);
	profile_free(p);
}

static void speedscope_of_several_processes(void **state)
{
	struct profile_view view = {.events = 1u << PROFILE_RSS, .by_thread = true};
	struct profile *p = fix_profile();
	json_t *doc, *sample;

	fix_second_process(p);
	fix_process(p, 5000, "only causes", 0, 4096);
	profile_balance(p);
	doc = speedscope_of(p, &view);
	assert_int_equal(json_array_size(json_object_get(doc, "profiles")), 4);
	check_speedscope(doc, 0, "RSS growth, pid 4242 (python3 app.py)");
	check_speedscope(doc, 1, "RSS shrinkage, pid 4242 (python3 app.py)");
	assert_int_equal(check_speedscope(doc, 2, "RSS growth, pid 4300 (worker \\x1b[31m\"x\";y)"),
			 KIB(3072));
	assert_int_equal(check_speedscope(doc, 3, "RSS growth, pid 5000 (only causes)"), 4096);
	sample = json_array_get(
		json_object_get(json_array_get(json_object_get(doc, "profiles"), 2), "samples"), 0);
	assert_string_equal(frame_member(doc, sample, 0, "name"), "thread 4300 (w\\x0a;\\x1b)");
	assert_string_equal(frame_member(doc, sample, 1, "name"),
			    "evil;\"<&>\\x0a\\x1b]0;\\\\ ü\\xe2\\x80\\xae");
	json_decref(doc);
	profile_free(p);
}

static void empty_profiles_are_files_all_the_same(void **state)
{
	struct profile *p = fix_empty();
	_cleanup_free_ char *folded = written(p, &(struct profile_view){0}, "folded");
	json_t *doc = speedscope_of(p, &(struct profile_view){0});

	assert_string_equal(folded, "");
	assert_int_equal(json_array_size(json_object_get(doc, "profiles")), 1);
	assert_int_equal(check_speedscope(doc, 0, "RSS growth"), 0);
	json_decref(doc);
	profile_free(p);
}

static void formats_are_found_by_name_and_suffix(void **state)
{
	static const struct {
		const char *path, *format;
	} rows[] = {
		{"x.txt", "text"},
		{"a/b.folded", "folded"},
		{"b.json", "json"},
		{"b.speedscope.json", "speedscope"},
		{"b.speedscope", "speedscope"},
		{"x.pmt", NULL},
		{"json", NULL},
		{".json", NULL}, /* a name, not a suffix */
		{"", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct profile_format *t = profile_format_of_file(rows[i].path);

		if (!rows[i].format)
			assert_null(t);
		else
			assert_string_equal(t->name, rows[i].format);
	}
	assert_string_equal(profile_formats[0].name, "text"); /* the default */
	assert_null(profile_format_find("speed"));
	assert_null(profile_sort_field("sel"));
	assert_ptr_equal(profile_sort_field("self"), profile_sort_field("self_bytes"));
	assert_non_null(profile_sort_field("events"));
}

/* However small the buffer: ended, valid, the line of a long file kept. */
static void labels_fit_their_buffers(void **state)
{
	char name[6000], label[PROFILE_LABEL_SIZE];
	struct profile_function f = {
		.kind = PROFILE_PYTHON, .name = name, .file = name, .first_line = 1};

	for (size_t i = 0; i + 2 < sizeof(name); i += 2)
		memcpy(name + i, "ü", 3);
	profile_frame_label(label, sizeof(label), &f, 123456789);
	assert_true(strlen(label) < sizeof(label));
	assert_non_null(strstr(label, "ü (ü"));
	assert_non_null(strstr(label, "ü:123456789)"));
	f.kind = PROFILE_NATIVE;
	profile_function_label(label, sizeof(label), &f);
	assert_memory_equal(label, "<native: ü", 11);
	assert_string_equal(label + strlen(label) - 3, "ü>");
	f.kind = PROFILE_UNNAMED;
	assert_string_equal(profile_function_label(label, sizeof(label), &f), "?");
}

/* The parts of `stat`'s documents: order and sums; the schema is checked in test_json.c. */
static void json_functions_are_ordered_by_what_changed(void **state)
{
	struct profile *p = fix_profile();
	json_t *functions = json_functions(p, 4242, 3), *a = json_attribution(p, 0), *f;
	static const char *const names[] = {"parse", "Loader.load", "drop"};
	size_t i;

	assert_int_equal(json_array_size(functions), 3);
	json_array_foreach (functions, i, f)
		assert_string_equal(json_string_value(json_object_get(f, "function")), names[i]);
	f = json_array_get(functions, 2);
	assert_int_equal(json_integer_value(json_object_get(f, "self_bytes")), KIB(-6144));
	assert_int_equal(json_integer_value(json_object_get(f, "self_shrink_bytes")), KIB(6144));
	assert_int_equal(json_integer_value(json_object_get(f, "hot_line")), 301);
	assert_int_equal(json_integer_value(json_object_get(a, "seen_bytes")), KIB(61440));
	assert_int_equal(json_integer_value(json_object_get(a, "attributed_bytes")), KIB(52736));
	assert_int_equal(json_integer_value(json_object_get(a, "unattributed_bytes")), KIB(8704));
	f = json_object_get(json_object_get(a, "causes"), "other_task");
	assert_int_equal(json_integer_value(json_object_get(f, "shrink_bytes")), KIB(2048));
	json_decref(functions);
	json_decref(a);
	functions = json_functions(p, 1, UINT64_MAX);
	assert_int_equal(json_array_size(functions), 0);
	json_decref(functions);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folded_lines_are_the_change_of_rss),
		cmocka_unit_test(folded_with_other_roots),
		cmocka_unit_test(speedscope_has_both_directions),
		cmocka_unit_test(speedscope_of_several_processes),
		cmocka_unit_test(empty_profiles_are_files_all_the_same),
		cmocka_unit_test(formats_are_found_by_name_and_suffix),
		cmocka_unit_test(labels_fit_their_buffers),
		cmocka_unit_test(json_functions_are_ordered_by_what_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
