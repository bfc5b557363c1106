/* SPDX-License-Identifier: MIT */
/* Explanations as documents: they follow the schema, add up, and come back as they were, or not at all. */
#include "explanation_fixture.h"
#include "schema_fixture.h"

#include "base/fault.h"
#include "model/verdict.h"
#include "output/json_explain.h"

#include <errno.h>

#define KIND	  9 /* among those of the schema */
#define KIND_DIFF 10
#define ROUNDS	  100

static char *written(json_t *doc)
{
	char *text = json_dumps(doc, JSON_COMPACT);

	assert_non_null(text);
	json_decref(doc);
	return text;
}

static int load(const char *text, struct explanation *ret, struct fault *f)
{
	return json_load_explanation(ret, text, strlen(text), "x.json", f);
}

static void check_same(const struct explanation *a, const struct explanation *b)
{
	json_t *p = json_explanation(a, NULL), *q = json_explanation(b, NULL);

	assert_non_null(p);
	assert_true(json_equal(p, q));
	json_decref(p);
	json_decref(q);
}

static void check_round_trip(const struct explanation *e)
{
	_cleanup_free_ char *text = written(json_explanation(e, NULL));
	struct explanation back;
	struct fault f = {0};

	if (load(text, &back, &f))
		fail_msg("%s", f.text);
	check_same(e, &back);
	assert_int_equal(back.nr_rows, e->nr_rows);
	for (size_t i = 0; i < e->nr_rows; i++) {
		assert_int_equal(back.rows[i].kind, e->rows[i].kind);
		assert_int_equal(back.rows[i].bytes, e->rows[i].bytes);
		assert_string_equal(back.rows[i].name, e->rows[i].name);
	}
	assert_int_equal(back.total, e->total);
	assert_int_equal(back.has_pools, e->has_pools);
	assert_int_equal(back.has_heap, e->has_heap);
	assert_string_equal(back.heap_why, e->heap_why);
	assert_string_equal(back.library_mallocs, e->library_mallocs);
	assert_memory_equal(&back.kernel, &e->kernel, sizeof(e->kernel));
	assert_int_equal(back.cgroup.limit, e->cgroup.limit);
	assert_int_equal(back.cgroup.peak, e->cgroup.peak);
	explanation_done(&back);
}

static void what_is_saved_comes_back(void **state)
{
	struct explanation *e = fix_explanation();

	check_round_trip(e);
	fix_cgroup(e);
	check_round_trip(e);
	e->has_pools = e->has_heap = false;
	memset(&e->pools, 0, sizeof(e->pools));
	memset(&e->heap, 0, sizeof(e->heap));
	strcpy(e->pools_why, "not a Python process");
	strcpy(e->heap_why, "\xffjemalloc\n\\x41 is in use");
	strcpy(e->library_mallocs, "lib\"x\".so (jemalloc)");
	e->approximate = true;
	strcpy(e->approximate_why, "it grew");
	e->python = (struct python_id){0};
	check_round_trip(e);
	fix_explanation_free(e);
}

static void names_are_any_bytes(void **state)
{
	struct explanation *e = fix_explanation();
	struct verdict v;
	size_t kind;

	fix_row(e, MEMORY_FILE_OTHER, "\x1b]0;evil\x07\n\"}\xff\\x0a\xe2\x80\xae.so", KIB(4));
	fix_row(e, MEMORY_FILE_OTHER, "\\", KIB(8));
	fix_kernel(e);
	check_round_trip(e);
	verdict_of(e, &v);
	check_document(json_explanation(e, &v), &kind);
	assert_int_equal(kind, KIND);
	fix_explanation_free(e);
}

static json_int_t number(const json_t *o, const char *member)
{
	const json_t *v = json_object_get(o, member);

	if (!json_is_integer(v))
		fail_msg("%s is no number", member);
	return json_integer_value(v);
}

/* From the document alone, as a reader of it would. */
static void rows_and_groups_add_up(void **state)
{
	struct explanation *e = fix_explanation();
	json_t *doc = json_explanation(e, NULL), *v;
	json_int_t rows = 0, groups = 0;
	const char *name;
	size_t i;

	assert_string_equal(json_string_value(json_object_get(doc, "kind")), "explanation");
	assert_int_equal(number(doc, "resident_bytes"), 75291648);
	json_array_foreach (json_object_get(doc, "rows"), i, v)
		rows += number(v, "bytes");
	json_object_foreach (json_object_get(doc, "groups"), name, v)
		groups += json_integer_value(v);
	assert_int_equal(rows, 75291648);
	assert_int_equal(groups, 75291648);
	assert_int_equal(number(json_object_get(doc, "groups"), "pymalloc"), 65376256);
	assert_int_equal(number(json_object_get(doc, "heap"), "uordblks_bytes"), 1301504);
	assert_int_equal(json_array_size(json_object_get(json_object_get(doc, "pools"), "fills")),
			 POOL_FILLS);
	assert_true(json_is_null(json_object_get(doc, "cgroup")));
	assert_true(json_is_null(json_object_get(doc, "verdict")));
	json_decref(doc);
	fix_explanation_free(e);
}

static void what_the_kernel_does_not_say_is_null(void **state)
{
	struct explanation *e = fix_explanation();
	json_t *doc, *c;

	fix_cgroup(e);
	doc = json_explanation(e, NULL);
	c = json_object_get(doc, "cgroup");
	assert_true(json_is_null(json_object_get(c, "peak_bytes")));
	assert_string_equal(json_string_value(json_object_get(c, "high_bytes")), "max");
	assert_int_equal(number(c, "limit_bytes"), 512 << 20);
	assert_int_equal(number(c, "processes"), 7);
	json_decref(doc);
	fix_explanation_free(e);
}

static void the_verdict_goes_along(void **state)
{
	struct explanation *e = fix_explanation();
	json_t *doc, *sentences;
	struct verdict v;
	size_t kind;

	verdict_of(e, &v);
	assert_true(v.nr_sentences && v.nr_remedies);
	doc = json_explanation(e, &v);
	sentences = json_object_get(json_object_get(doc, "verdict"), "sentences");
	assert_int_equal(json_array_size(sentences), v.nr_sentences);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(sentences, 0), "finding")),
		"pools_pinned");
	check_document(doc, &kind);
	assert_int_equal(kind, KIND);
	fix_explanation_free(e);
}

static void every_document_follows_the_schema(void **state)
{
	struct explanation *full = fix_explanation(), empty = {0};
	unsigned int seed = 4242;
	size_t kind;

	fix_cgroup(full);
	check_document(json_explanation(full, NULL), &kind);
	assert_int_equal(kind, KIND);
	check_document(json_explanation(&empty, NULL), &kind);
	assert_int_equal(kind, KIND);
	check_document(json_explanation_diff(&empty, full), &kind);
	assert_int_equal(kind, KIND_DIFF);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct explanation *a = fix_random(&seed, 40), *b = fix_random(&seed, 40);
		struct verdict v;

		verdict_of(a, &v);
		check_document(json_explanation(a, &v), &kind);
		check_document(json_explanation_diff(a, b), &kind);
		check_round_trip(a);
		fix_explanation_free(a);
		fix_explanation_free(b);
	}
	fix_explanation_free(full);
}

static void check_diff(const struct explanation *a, const struct explanation *b)
{
	json_t *doc = json_explanation_diff(a, b), *v;
	json_int_t rows = 0, groups = 0, change = number(doc, "resident_change_bytes");
	const char *name;
	size_t i;

	json_array_foreach (json_object_get(doc, "rows_change"), i, v) {
		assert_int_equal(number(v, "after_bytes") - number(v, "before_bytes"),
				 number(v, "change_bytes"));
		assert_true(number(v, "change_bytes"));
		rows += number(v, "change_bytes");
	}
	json_object_foreach (json_object_get(doc, "groups_change"), name, v)
		groups += json_integer_value(v);
	assert_int_equal(rows, change);
	assert_int_equal(groups, change);
	assert_int_equal(change, (int64_t)b->total - (int64_t)a->total);
	json_decref(doc);
}

static void differences_add_up(void **state)
{
	struct explanation *a = fix_explanation(), *b = fix_explanation();
	unsigned int seed = 7;
	json_t *doc, *rows;

	b->rows[0].bytes -= 4096;
	b->rows[1].bytes += 8192;
	b->total += 4096;
	b->heap.fordblks += 16;
	b->kernel.swap += 4096;
	fix_row(b, MEMORY_STACK, "thread 9", 4096);
	doc = json_explanation_diff(a, b);
	rows = json_object_get(doc, "rows_change");
	assert_int_equal(json_array_size(rows), 3);
	assert_true(json_is_true(json_object_get(doc, "same_process")));
	assert_int_equal(number(json_object_get(doc, "heap_change"), "fordblks_bytes"), 16);
	assert_int_equal(number(json_object_get(doc, "kernel_change"), "swap_bytes"), 4096);
	json_decref(doc);
	check_diff(a, b);
	check_diff(b, a);
	fix_explanation_free(b);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		b = fix_random(&seed, 40);
		check_diff(a, b);
		fix_explanation_free(a);
		a = b;
	}
	fix_explanation_free(a);
}

/* Hostile documents: where to is a JSON value, NULL: the member is gone. */
struct harm {
	const char *where, *member, *to, *said;
};

static json_t *place(json_t *doc, const char *where)
{
	if (!*where)
		return doc;
	if (!strcmp(where, "rows"))
		return json_array_get(json_object_get(doc, "rows"), 0);
	return json_object_get(doc, where);
}

static void harms_are_refused(void **state)
{
	static const struct harm harms[] = {
		{"", "rows", NULL, "\"rows\" is missing"},
		{"", "rows", "{}", "\"rows\" is missing"},
		{"", "rows", "[]", "do not sum up to \"resident_bytes\""},
		{"", "rows", "[7]", "\"rows.kind\" is missing"},
		{"", "resident_bytes", "75291649", "do not sum up to \"resident_bytes\""},
		{"", "resident_bytes", "-1", "\"resident_bytes\" is missing"},
		{"", "resident_bytes", "75291648.0", "\"resident_bytes\" is missing"},
		{"", "groups", "{}", "\"groups\" is missing"},
		{"", "groups", "null", "\"groups\" is missing"},
		{"", "pools", NULL, "\"pools."},
		{"", "pools", "[]", "\"pools."},
		{"", "heap", "7", "\"heap."},
		{"", "cgroup", NULL, "\"cgroup."},
		{"", "kernel", "null", "\"kernel."},
		{"", "process", "[]", "\"process."},
		{"", "malloc", "\"a name that is too long for it\"", "\"malloc\""},
		{"", "malloc", "\"\\u001b[31m\"", "\"malloc\""},
		{"", "pools_why", "null", "\"pools_why\""},
		{"", "approximate", "1", "\"approximate\""},
		{"", "threads", "4294967296", "\"threads\""},
		{"rows", "bytes", "-63614080", "\"rows.bytes\""},
		{"rows", "bytes", "63614081", "do not sum up"},
		{"rows", "bytes", "9223372036854775807", "do not sum up"},
		{"rows", "bytes", "\"63614080\"", "\"rows.bytes\""},
		{"rows", "kind", "\"py_many\"", "\"rows.kind\""},
		{"rows", "kind", "\"py_live\"", "a row of \"rows\" is there twice"},
		{"rows", "kind", "\"a kind with a name that is too long\"", "\"rows.kind\""},
		{"rows", "group", "\"heap\"", "\"rows.group\""},
		{"rows", "name", "null", "\"rows.name\""},
		{"rows", "name", NULL, "\"rows.name\""},
		{"rows", "huge_bytes", "63614081", "\"rows.huge_bytes\""},
		{"rows", "exclusive_bytes", "63614081", "\"rows.exclusive_bytes\""},
		{"groups", "heap", "1403905", "\"groups.heap\""},
		{"groups", "heap", "-1", "\"groups.heap\""},
		{"groups", "more", "0", "\"groups\""},
		{"pools", "fills", "[]", "\"pools.fills\""},
		{"pools", "fills", "[0,0,0,0,0,0,0,0,0,-1]", "\"pools.fills\""},
		{"pools", "live_blocks", "null", "\"pools.live_blocks\""},
		{"heap", "version", "\"2.36 and more than there is room\"", "\"heap.version\""},
		{"heap", "why_not", "null", "\"heap.why_not\""},
		{"heap", "exact", "\"yes\"", "\"heap.exact\""},
		{"cgroup", "version", "3", "\"cgroup.version\""},
		{"cgroup", "path", "null", "\"cgroup.path\""},
		{"cgroup", "usage_bytes", "\"max\"", "\"cgroup.usage_bytes\""},
		{"cgroup", "limit_bytes", "\"none\"", "\"cgroup.limit_bytes\""},
		{"cgroup", "limit_bytes", "-1", "\"cgroup.limit_bytes\""},
		{"kernel", "swap_bytes", "1e30", "\"kernel.swap_bytes\""},
	};
	struct explanation *e = fix_explanation(), back;

	fix_cgroup(e);
	for (size_t i = 0; i < ARRAY_SIZE(harms); i++) {
		const struct harm *h = &harms[i];
		json_t *doc = json_explanation(e, NULL), *at = place(doc, h->where);
		_cleanup_free_ char *text = NULL;
		struct fault f = {0};

		assert_non_null(at);
		if (h->to)
			json_object_set_new(at, h->member,
					    json_loads(h->to, JSON_DECODE_ANY, NULL));
		else
			json_object_del(at, h->member);
		text = written(doc);
		if (load(text, &back, &f) != -EINVAL || !strstr(f.text, h->said))
			fail_msg("%s.%s = %s: \"%s\"", h->where, h->member, h->to ? h->to : "-",
				 f.text);
	}
	fix_explanation_free(e);
}

/* Each alone is small enough, and their sum wraps around to what is said. */
static void sums_do_not_wrap(void **state)
{
	struct explanation e = {.process.pid = 1}, back;
	_cleanup_free_ char *text = NULL;
	struct fault f = {0};

	fix_row(&e, MEMORY_PY_LIVE, "a", INT64_MAX);
	fix_row(&e, MEMORY_PY_LIVE, "b", INT64_MAX);
	fix_row(&e, MEMORY_PY_LIVE, "c", 7);
	e.total = 5;
	text = written(json_explanation(&e, NULL));
	assert_int_equal(load(text, &back, &f), -EINVAL);
	assert_non_null(strstr(f.text, "\"resident_bytes\""));
	explanation_done(&e);
}

static void other_documents_are_named(void **state)
{
	static const struct {
		const char *text, *said;
		int err;
	} files[] = {
		{"", "x.json is empty", -EINVAL},
		{"{\"schema\": \"pymemtrace-bpf/1\", \"kind\": \"snapshot\"}",
		 "x.json is a snapshot", -EMEDIUMTYPE},
		{"{\"schema\": \"pymemtrace-bpf/1\", \"kind\": \"calls\"}",
		 "x.json is a table of calls", -EMEDIUMTYPE},
		{"{\"schema\": \"pymemtrace-bpf/1\", \"kind\": \"explanation_diff\"}",
		 "x.json is a document of kind explanation_diff", -EMEDIUMTYPE},
		{"{\"schema\": \"pymemtrace-bpf/1\", \"kind\": \"explanation\"}",
		 "\"time_ns\" is missing", -EINVAL},
	};
	struct explanation e;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct fault f = {0};

		assert_int_equal(load(files[i].text, &e, &f), files[i].err);
		if (!strstr(f.text, files[i].said))
			fail_msg("\"%s\", not \"%s\"", f.text, files[i].said);
	}
}

/* Cut anywhere it is refused; with a byte changed anywhere it is refused or adds up. */
static void damage_is_found(void **state)
{
	struct explanation *e = fix_explanation(), back;
	_cleanup_free_ char *text = NULL;
	unsigned int seed = 99;
	struct fault f = {0};
	size_t len;

	fix_cgroup(e);
	text = written(json_explanation(e, NULL));
	len = strlen(text);
	for (size_t n = 0; n < len; n += 7)
		assert_int_not_equal(json_load_explanation(&back, text, n, "x.json", &f), 0);
	for (unsigned int i = 0; i < 20 * ROUNDS; i++) {
		size_t at = (size_t)rand_r(&seed) % len;
		char was = text[at];

		text[at] = (char)(0x20 + rand_r(&seed) % 0x5f);
		if (!load(text, &back, &f)) {
			assert_int_equal(explanation_bytes(&back, 0, MEMORY_KINDS - 1), back.total);
			explanation_done(&back);
		}
		text[at] = was;
	}
	fix_explanation_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_saved_comes_back),
		cmocka_unit_test(names_are_any_bytes),
		cmocka_unit_test(rows_and_groups_add_up),
		cmocka_unit_test(what_the_kernel_does_not_say_is_null),
		cmocka_unit_test(the_verdict_goes_along),
		cmocka_unit_test(every_document_follows_the_schema),
		cmocka_unit_test(differences_add_up),
		cmocka_unit_test(harms_are_refused),
		cmocka_unit_test(sums_do_not_wrap),
		cmocka_unit_test(other_documents_are_named),
		cmocka_unit_test(damage_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
