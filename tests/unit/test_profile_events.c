/* SPDX-License-Identifier: MIT */
/*
 * The table of events, and kernel events in profiles: by kind of memory, through a recording, in every
 * format. Ground truth: the rows that were put in.
 */
#include "profile_fixture.h"
#include "pmt_fixture.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "output/pmt.h"
#include "output/profile_out.h"
#include "output/sink.h"
#include "output/tables.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define BIT(id) (1u << PROFILE_##id)

static void every_event_has_its_words(void **state)
{
	for (int e = 0; e < PROFILE_EVENTS; e++) {
		const char *name = profile_event_name(e);

		assert_true(strlen(name) > 1);
		assert_true(strlen(profile_event_title(e)) > 1);
		assert_true(strlen(profile_event_what(e)) > 10);
		assert_true(strlen(profile_event_source(e)) > 8);
		assert_true(profile_events_named(name) & 1u << e);
		/* where it is printed, its name must fit */
		assert_true(strlen(name) < sizeof(((struct profile_row_record *)0)->event));
		for (int other = 0; other < e; other++)
			assert_string_not_equal(name, profile_event_name(other));
	}
	for (int m = 0; m < PROFILE_MEMORIES; m++)
		assert_true(strlen(profile_memory_name(m)) <
			    sizeof(((struct profile_row_record *)0)->memory));
}

static void a_group_is_all_that_begins_with_it(void **state)
{
	assert_int_equal(profile_events_named("rss"), BIT(RSS));
	assert_int_equal(profile_events_named("fault"),
			 BIT(FAULT_MINOR) | BIT(FAULT_MAJOR) | BIT(FAULT_COW) | BIT(FAULT_HUGE));
	assert_int_equal(profile_events_named("fault-cow"), BIT(FAULT_COW));
	assert_int_equal(profile_events_named("swap"), BIT(SWAP_IN) | BIT(SWAP_OUT));
	assert_int_equal(profile_events_named("mmap"), BIT(MMAP));
	assert_int_equal(profile_events_named("madvise"),
			 BIT(MADVISE_DONTNEED) | BIT(MADVISE_FREE) | BIT(MADVISE_HUGEPAGE));
	assert_int_equal(profile_events_named(""), 0);
	assert_int_equal(profile_events_named("fau"), 0);
	assert_int_equal(profile_events_named("fault-"), 0);
	assert_int_equal(profile_events_named("fault-minor-x"), 0);
	assert_int_equal(profile_events_named("RSS"), 0);
}

static void put(struct profile *p, enum profile_event e, enum profile_memory m, uint32_t stack,
		int64_t growth, uint64_t events)
{
	struct profile_row r = {.stack = stack,
				.event = e,
				.memory = m,
				.change = {growth, 0, events},
				.first_ns = FIX_NOON,
				.last_ns = FIX_NOON + 1000000000};

	assert_int_equal(profile_add_row(p, &r), 0);
	p->events |= 1u << e;
}

/* Faults of two kinds of memory on one stack, mappings, and what is of no stack. */
static struct profile *with_events(void)
{
	struct profile *p = fix_profile();

	put(p, PROFILE_FAULT_MINOR, PROFILE_MEMORY_ANON, 0, KIB(40), 10);
	put(p, PROFILE_FAULT_MINOR, PROFILE_MEMORY_FILE, 0, KIB(12), 3);
	put(p, PROFILE_FAULT_MINOR, PROFILE_MEMORY_UNKNOWN, 0, KIB(4), 1);
	put(p, PROFILE_FAULT_MINOR, PROFILE_MEMORY_ANON, 0, KIB(8), 2);
	put(p, PROFILE_MMAP, PROFILE_MEMORY_STACK, 0, KIB(8192), 1);
	p->processes[0].causes[PROFILE_FAULT_MINOR][PROFILE_NO_FRAME] =
		(struct profile_change){KIB(20), 0, 5};
	p->processes[0].causes[PROFILE_CGROUP_HIGH][PROFILE_NO_STACK].events = 17;
	p->events |= BIT(CGROUP_HIGH) | BIT(OOM);
	return p;
}

static void kinds_of_memory_are_rows_of_their_own(void **state)
{
	struct profile *p = with_events();
	struct profile_row bad = p->rows[0];
	uint32_t nr = p->nr_rows;

	/* the second of anonymous memory went to the first */
	assert_int_equal(p->rows[nr - 1].event, PROFILE_MMAP);
	assert_int_equal(p->rows[nr - 4].memory, PROFILE_MEMORY_ANON);
	assert_int_equal(p->rows[nr - 4].change.events, 12);
	assert_int_equal(profile_attributed(p, PROFILE_FAULT_MINOR, 0).events, 16);
	/* RSS still adds up */
	profile_balance(p);
	assert_int_equal(p->processes[0].causes[PROFILE_RSS][PROFILE_UNEXPLAINED].growth,
			 KIB(3584));
	bad.memory = PROFILE_MEMORIES;
	assert_int_equal(profile_add_row(p, &bad), -EINVAL);
	profile_free(p);
}

static void a_recording_keeps_them(void **state)
{
	struct profile *p = with_events(), *q = NULL;
	struct fault f = {0};
	struct sink s = {0};
	struct pmt_writer *w;
	char *bytes;
	size_t len;
	FILE *in;

	s.f = open_memstream(&bytes, &len);
	w = pmt_writer_new(&s);
	assert_int_equal(pmt_writer_end(w, p, &f), 0);
	fclose(s.f);
	in = fmemopen(bytes, len, "re");
	if (pmt_read(in, "x.pmt", &q, &f))
		fail_msg("%s", f.text);
	profile_balance(p);
	assert_true(profile_equal(p, q));
	assert_int_equal(q->rows[q->nr_rows - 1].memory, PROFILE_MEMORY_STACK);
	assert_int_equal(q->processes[0].causes[PROFILE_CGROUP_HIGH][PROFILE_NO_STACK].events, 17);
	fclose(in);
	pmt_writer_free(w);
	profile_free(p);
	profile_free(q);
	free(bytes);
}

static char *written(const struct profile *p, unsigned int events, const char *format, size_t *len)
{
	struct profile_view view = {.events = events, .top = PROFILE_TOP_ALL};
	struct fault f = {0};
	char *bytes;
	FILE *out = open_memstream(&bytes, len);

	if (profile_write(out, p, &view, format, &f))
		fail_msg("%s: %s", format, f.text);
	fclose(out);
	return bytes;
}

static void text_tells_of_memory(void **state)
{
	struct profile *p = with_events();
	size_t len;
	_cleanup_free_ char *faults = written(p, BIT(FAULT_MINOR), "text", &len);
	_cleanup_free_ char *high = written(p, BIT(CGROUP_HIGH), "text", &len);
	_cleanup_free_ char *oom = written(p, BIT(OOM), "text", &len);
	_cleanup_free_ char *rss = written(p, BIT(RSS), "text", &len);

	assert_non_null(strstr(faults, "minor faults by function"));
	assert_non_null(strstr(
		faults,
		"\n# by memory: anon 48.0 KiB in 12, file 12.0 KiB in 3, unknown 4.0 KiB in 1\n"));
	assert_non_null(strstr(faults, "       5  [no Python frame]"));
	assert_null(strstr(faults, "RSS: what was seen"));
	assert_non_null(strstr(high, "      17  [of the memory cgroup]"));
	assert_null(strstr(high, "by memory"));
	assert_null(strstr(rss, "by memory"));
	assert_string_equal(strstr(oom, "\nout of memory"), "\nout of memory: none\n");
	profile_free(p);
}

static void folded_has_a_leaf_for_it(void **state)
{
	struct profile *p = with_events();
	size_t len;
	_cleanup_free_ char *text = written(p, BIT(FAULT_MINOR), "folded", &len);

	assert_non_null(strstr(text, ";[anon] 49152\n"));
	assert_non_null(strstr(text, ";[file] 12288\n"));
	assert_null(strstr(text, "[unknown]"));
	assert_non_null(strstr(text, "[no Python frame] 20480\n"));
	profile_free(p);
}

static void json_names_it(void **state)
{
	struct profile *p = with_events();
	size_t len;
	_cleanup_free_ char *text = written(p, 0, "json", &len);
	json_t *doc = json_loads(text, 0, NULL), *row, *high;
	size_t at;
	int anon = 0, unknown = 0;

	assert_non_null(doc);
	json_array_foreach (json_object_get(doc, "rows"), at, row) {
		const char *memory = json_string_value(json_object_get(row, "memory"));

		assert_non_null(memory);
		anon += !strcmp(memory, "anon");
		unknown += !strcmp(memory, "unknown");
	}
	assert_int_equal(anon, 1);
	assert_int_equal(unknown, (int)p->nr_rows - 3);
	high = json_object_get(json_object_get(doc, "attribution"), "cgroup-high");
	assert_int_equal(
		json_integer_value(json_object_get(
			json_object_get(json_object_get(high, "causes"), "no_stack"), "events")),
		17);
	json_decref(doc);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_has_its_words),
		cmocka_unit_test(a_group_is_all_that_begins_with_it),
		cmocka_unit_test(kinds_of_memory_are_rows_of_their_own),
		cmocka_unit_test(a_recording_keeps_them),
		cmocka_unit_test(text_tells_of_memory),
		cmocka_unit_test(folded_has_a_leaf_for_it),
		cmocka_unit_test(json_names_it),
	};

	return cmocka_run_group_tests_name("profile_events", tests, NULL, NULL);
}
