/* SPDX-License-Identifier: MIT */
/*
 * pprof's format: what was written is decompressed and decoded again by libraries, and every figure
 * and name in it is compared with the profile it was made of.
 */
#include "fixture.h"
#include "sample_profile.h"

#include "base/fault.h"
#include "output/pprof.pb-c.h"
#include "output/profile_out.h"

#include <errno.h>
#include <zlib.h>

static char *written(const struct profile *p, struct profile_view view, size_t *ret_len)
{
	struct fault f = {0};
	struct catch c;
	char *text;

	if (profile_write_pprof(catch_open(&c), p, &view, &f))
		fail_msg("%s", f.text);
	text = catch_text(&c);
	*ret_len = c.len;
	return text;
}

static Pprof__Profile *read_view(const struct profile *p, struct profile_view view)
{
	const size_t room = 64 << 20;
	_cleanup_free_ uint8_t *plain = malloc(room);
	size_t len;
	_cleanup_free_ char *packed = written(p, view, &len);
	z_stream z = {.next_in = (uint8_t *)packed,
		      .avail_in = (unsigned int)len,
		      .next_out = plain,
		      .avail_out = (unsigned int)room};
	Pprof__Profile *back;

	assert_non_null(plain);
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK); /* gzip and nothing else */
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	back = pprof__profile__unpack(NULL, z.total_out, plain);
	inflateEnd(&z);
	assert_non_null(back);
	return back;
}

static Pprof__Profile *read_back(const struct profile *p, enum profile_event event)
{
	return read_view(p, (struct profile_view){.events = 1u << event});
}

static const char *string(const Pprof__Profile *b, int64_t i)
{
	assert_in_range(i, 0, b->n_string_table - 1);
	return b->string_table[i];
}

static const Pprof__Function *function_of(const Pprof__Profile *b, uint64_t location)
{
	for (size_t i = 0; i < b->n_location; i++) {
		const Pprof__Location *l = b->location[i];

		if (l->id != location)
			continue;
		assert_int_equal(l->n_line, 1);
		for (size_t k = 0; k < b->n_function; k++)
			if (b->function[k]->id == l->line[0]->function_id)
				return b->function[k];
	}
	fail_msg("location %llu has no function", (unsigned long long)location);
	return NULL;
}

static int64_t line_of(const Pprof__Profile *b, uint64_t location)
{
	for (size_t i = 0; i < b->n_location; i++)
		if (b->location[i]->id == location)
			return b->location[i]->line[0]->line;
	return -1;
}

/* Number of the label, or the text; absent is an answer too. */
static int64_t label_number(const Pprof__Profile *b, const Pprof__Sample *s, const char *key)
{
	for (size_t i = 0; i < s->n_label; i++)
		if (!strcmp(string(b, s->label[i]->key), key))
			return s->label[i]->num;
	return -1;
}

static const char *label_text(const Pprof__Profile *b, const Pprof__Sample *s, const char *key)
{
	for (size_t i = 0; i < s->n_label; i++)
		if (!strcmp(string(b, s->label[i]->key), key))
			return string(b, s->label[i]->str);
	return NULL;
}

/* Of samples whose leaf has that name; NULL: of all. */
static struct profile_change sum(const Pprof__Profile *b, pid_t pid, const char *leaf)
{
	struct profile_change c = {0};

	for (size_t i = 0; i < b->n_sample; i++) {
		const Pprof__Sample *s = b->sample[i];
		const Pprof__Function *f = function_of(b, s->location_id[0]);

		assert_int_equal(s->n_value, 2);
		if (label_number(b, s, "pid") != pid || (leaf && strcmp(string(b, f->name), leaf)))
			continue;
		c.growth += s->value[0];
		c.shrink += s->value[1];
	}
	return c;
}

static void assert_change(struct profile_change c, int64_t growth, int64_t shrink)
{
	assert_int_equal(c.growth, growth);
	assert_int_equal(c.shrink, shrink);
}

static void sums_are_those_of_the_profile(void **state)
{
	struct profile *p = sample_profile(true);
	Pprof__Profile *b = read_back(p, PROFILE_RSS);

	for (uint32_t i = 0; i < p->nr_processes; i++) {
		const struct profile_process *of = &p->processes[i];
		struct profile_change all = sum(b, of->pid, NULL);

		assert_int_equal(all.growth - all.shrink, of->rss_after - of->rss_before);
	}
	assert_change(sum(b, SAMPLE_PID, "JSONDecoder.raw_decode"), 96 * MIB + 4096, 12 * MIB);
	assert_change(sum(b, SAMPLE_PID, "[no Python thread]"), 5 * MIB, 1 * MIB);
	assert_change(sum(b, SAMPLE_PID, "<native: libjpeg.so.62.3.0>"), 18 * MIB, 0);
	assert_change(sum(b, SAMPLE_PID, "?"), 3 * MIB, 0);
	assert_change(sum(b, SAMPLE_WORKER, "[by another task]"), 12288, 0);
	pprof__profile__free_unpacked(b, NULL);
	profile_free(p);
}

static void frames_keep_their_order_lines_and_files(void **state)
{
	struct profile *p = sample_profile(false);
	Pprof__Profile *b = read_back(p, PROFILE_RSS);
	const Pprof__Sample *s = b->sample[0];
	const Pprof__Function *leaf = function_of(b, s->location_id[0]);
	const Pprof__Function *top = function_of(b, s->location_id[5]);

	assert_int_equal(s->n_location_id, 6);
	assert_string_equal(string(b, leaf->name), "JSONDecoder.raw_decode");
	assert_string_equal(string(b, leaf->filename), "/usr/lib/python3.12/json/decoder.py");
	assert_int_equal(leaf->start_line, 344);
	assert_int_equal(line_of(b, s->location_id[0]), 353);
	assert_string_equal(string(b, top->name), "<module>");
	assert_int_equal(label_number(b, s, "tid"), SAMPLE_PID);
	assert_string_equal(label_text(b, s, "thread"), "python3");

	s = b->sample[6]; /* deeper than could be walked: three frames of one function, two lines */
	assert_int_equal(s->n_location_id, 4);
	assert_string_equal(string(b, function_of(b, s->location_id[3])->name), "[truncated]");
	assert_ptr_equal(function_of(b, s->location_id[0]), function_of(b, s->location_id[1]));
	assert_int_equal(line_of(b, s->location_id[0]), 7);
	assert_int_equal(line_of(b, s->location_id[1]), 9);
	assert_int_equal(s->location_id[1], s->location_id[2]);
	assert_int_equal(label_number(b, s, "tid"), 4243);
	assert_string_equal(label_text(b, s, "thread"), "refresh <1>");
	pprof__profile__free_unpacked(b, NULL);
	profile_free(p);
}

static void says_how_it_was_recorded(void **state)
{
	struct profile *p = sample_profile(false);
	Pprof__Profile *b = read_back(p, PROFILE_RSS);

	assert_string_equal(string(b, 0), "");
	assert_int_equal(b->n_sample_type, 2);
	assert_string_equal(string(b, b->sample_type[0]->type), "rss_growth");
	assert_string_equal(string(b, b->sample_type[1]->type), "rss_shrink");
	assert_string_equal(string(b, b->sample_type[1]->unit), "bytes");
	assert_int_equal(b->default_sample_type, b->sample_type[0]->type);
	assert_string_equal(string(b, b->period_type->type), "rss");
	assert_int_equal(b->period, 32 * 4096);
	assert_int_equal(b->time_nanos, SAMPLE_BEGIN_NS);
	assert_int_equal(b->duration_nanos, 60000000000);
	assert_true(b->n_comment >= 4);
	assert_non_null(strstr(string(b, b->comment[1]), "sampled"));
	assert_int_equal(b->n_mapping, 1);
	assert_true(b->mapping[0]->has_functions);
	pprof__profile__free_unpacked(b, NULL);

	b = read_back(p, PROFILE_ARENA);
	assert_string_equal(string(b, b->sample_type[0]->type), "arena_growth");
	assert_change(sum(b, SAMPLE_PID, NULL), 65 * MIB, 3 * MIB);
	assert_int_equal(b->n_sample, 2);
	pprof__profile__free_unpacked(b, NULL);
	profile_free(p);
}

/* A pair of sample types for each; a sample has figures in its own event's only. */
static void all_events_and_one_process(void **state)
{
	struct profile *p = sample_profile(true);
	Pprof__Profile *b = read_view(p, (struct profile_view){.pid = SAMPLE_PID});
	int64_t sums[4] = {0};

	assert_int_equal(b->n_sample_type, 4);
	assert_string_equal(string(b, b->sample_type[0]->type), "rss_growth");
	assert_string_equal(string(b, b->sample_type[3]->type), "arena_shrink");
	for (size_t i = 0; i < b->n_sample; i++) {
		const int64_t *v = b->sample[i]->value;

		assert_int_equal(b->sample[i]->n_value, 4);
		assert_int_equal(label_number(b, b->sample[i], "pid"), SAMPLE_PID);
		assert_true(!(v[0] || v[1]) != !(v[2] || v[3]));
		for (int k = 0; k < 4; k++)
			sums[k] += v[k];
	}
	assert_int_equal(sums[0] - sums[1], 131 * MIB + 4096);
	assert_int_equal(sums[2], 65 * MIB);
	assert_int_equal(sums[3], 3 * MIB);
	pprof__profile__free_unpacked(b, NULL);
	profile_free(p);
}

static void ids_and_strings_are_unique(void **state)
{
	struct profile *p = sample_profile(true);
	Pprof__Profile *b;

	assert_int_equal(sample_many_stacks(p, 500), 0);
	b = read_back(p, PROFILE_RSS);
	for (size_t i = 0; i < b->n_location; i++) {
		assert_int_equal(b->location[i]->id, i + 1);
		assert_int_equal(b->location[i]->mapping_id, 1);
		function_of(b, i + 1);
	}
	for (size_t i = 0; i < b->n_function; i++) {
		assert_true(b->function[i]->id > 0);
		assert_int_equal(b->function[i]->system_name, 0);
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(b->function[i]->id, b->function[k]->id);
	}
	for (size_t i = 0; i < b->n_string_table; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(b->string_table[i], b->string_table[k]);
	pprof__profile__free_unpacked(b, NULL);
	profile_free(p);
}

/* pprof prints names as they are. */
static void names_are_safe_for_a_terminal(void **state)
{
	struct profile *p = sample_profile(true);
	Pprof__Profile *b;
	bool red = false;

	assert_int_equal(sample_hostile_stacks(p), 0);
	b = read_back(p, PROFILE_RSS);
	for (size_t i = 0; i < b->n_string_table; i++) {
		for (const char *s = b->string_table[i]; *s; s++)
			assert_false((unsigned char)*s < 0x20 || *s == 0x7f);
		red |= strstr(b->string_table[i], "\\x1b[31mred") != NULL;
	}
	assert_true(red);
	pprof__profile__free_unpacked(b, NULL);
	profile_free(p);
}

static void equal_profiles_give_equal_bytes(void **state)
{
	const struct profile_view view = {0};
	struct profile *p = sample_profile(true);
	size_t len, again_len;
	_cleanup_free_ char *text = written(p, view, &len);
	_cleanup_free_ char *again = written(p, view, &again_len);

	assert_int_equal(len, again_len);
	assert_memory_equal(text, again, len);
	profile_free(p);
}

static void nothing_recorded_is_a_profile_too(void **state)
{
	struct profile *p = profile_new();
	Pprof__Profile *b = read_back(p, PROFILE_RSS);

	assert_int_equal(b->n_sample, 0);
	assert_int_equal(b->n_sample_type, 2);
	pprof__profile__free_unpacked(b, NULL);
	profile_free(p);
}

static void a_full_disk_is_said(void **state)
{
	struct profile *p = sample_profile(true);
	_cleanup_file_ FILE *full = fopen("/dev/full", "we");
	struct profile_view view = {0};
	struct fault f = {0};

	assert_non_null(full);
	setvbuf(full, NULL, _IONBF, 0);
	assert_int_equal(profile_write_pprof(full, p, &view, &f), -ENOSPC);
	assert_non_null(strstr(f.text, "No space left"));
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_are_those_of_the_profile),
		cmocka_unit_test(frames_keep_their_order_lines_and_files),
		cmocka_unit_test(says_how_it_was_recorded),
		cmocka_unit_test(all_events_and_one_process),
		cmocka_unit_test(ids_and_strings_are_unique),
		cmocka_unit_test(names_are_safe_for_a_terminal),
		cmocka_unit_test(equal_profiles_give_equal_bytes),
		cmocka_unit_test(nothing_recorded_is_a_profile_too),
		cmocka_unit_test(a_full_disk_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
