/* SPDX-License-Identifier: MIT */
/* Whether a cgroup grows steadily, when it is at its limit, and what is printed of it. */
#include "fixture.h"

#include "model/cgroup.h"
#include "model/cgroup_rate.h"
#include "output/cgroup_text.h"

#include <math.h>

#define MIB    (1024.0 * 1024)
#define SECOND 1000000000ll

static struct cgroup_rate rate;
static struct cgroup_growth growth;

/* Reading i of a series every 5 s, in MiB above 1 GiB. */
static void add(int i, double mib)
{
	cgroup_rate_add_bytes(&rate, 1700000000 * SECOND + i * 5 * SECOND,
			      (uint64_t)(1024 * MIB + mib * MIB));
}

static void assert_steady(double mib_per_reading, double tolerance)
{
	double got;

	assert_true(cgroup_rate_steady(&rate, &growth));
	got = growth.bytes_per_second * 5 / MIB;
	if (fabs(got - mib_per_reading) > tolerance * mib_per_reading)
		fail_msg("%f MiB a reading, not %f", got, mib_per_reading);
	assert_true(growth.error >= 0 && growth.error < growth.bytes_per_second / 4);
}

static void assert_not_steady(void)
{
	struct cgroup_growth g = {.bytes_per_second = 7};

	assert_false(cgroup_rate_steady(&rate, &g));
	assert_true(g.bytes_per_second == 7);
}

/* -1 to 1, the same in every run */
static double noise(void)
{
	static uint32_t x = 12345;

	x = x * 1664525 + 1013904223;
	return (double)(x >> 8) / (1 << 23) - 1;
}

static int empty(void **state)
{
	rate = (struct cgroup_rate){0};
	return 0;
}

static void a_line_is_steady_from_the_fourth_reading_on(void **state)
{
	for (int i = 0; i < 40; i++) {
		if (i < 4)
			assert_not_steady();
		else
			assert_steady(10, 1e-6);
		add(i, 10 * i);
	}
}

static void readings_need_not_be_regular(void **state)
{
	static const int at[] = {0, 1, 7, 8, 30, 31, 33};

	for (size_t i = 0; i < ARRAY_SIZE(at); i++)
		add(at[i], at[i] * 3.5);
	assert_steady(3.5, 1e-6);
}

static void with_little_noise_too(void **state)
{
	for (int i = 0; i < 30; i++) {
		add(i, 10 * i + 2 * noise());
		if (i >= 7)
			assert_steady(10, 0.15);
	}
}

static void flat_is_not(void **state)
{
	for (int i = 0; i < 20; i++) {
		add(i, 5);
		assert_not_steady();
	}
}

/* Some pages more or less, as any process has them. */
static void hardly_any_growth_is_not(void **state)
{
	for (int i = 0; i < 20; i++) {
		add(i, i * 0.012);
		assert_not_steady();
	}
}

static void shrinking_is_not(void **state)
{
	for (int i = 0; i < 20; i++) {
		add(i, 900 - 10 * i);
		assert_not_steady();
	}
}

static void a_step_is_not(void **state)
{
	for (int length = 1; length < 20; length++) {
		empty(NULL);
		for (int i = 0; i < 40; i++) {
			add(i, i < length ? 0 : 100);
			assert_not_steady();
		}
	}
}

static void two_steps_are_not(void **state)
{
	for (int i = 0; i < 40; i++) {
		add(i, i < 4 ? 0 : i < 9 ? 50 : 100);
		assert_not_steady();
	}
}

/* As soon as one fall has been seen; before it is a line as any other. */
static void a_sawtooth_is_not(void **state)
{
	for (int period = 2; period <= 12; period++) {
		empty(NULL);
		for (int i = 0; i < 60; i++) {
			add(i, (i % period) * 20);
			if (i >= period)
				assert_not_steady();
		}
	}
}

static void noise_is_not(void **state)
{
	int said = 0;

	for (int series = 0; series < 2000; series++) {
		empty(NULL);
		for (int i = 0; i < 20; i++) {
			add(i, 100 * noise());
			said += cgroup_rate_steady(&rate, &growth);
		}
	}
	/* 34,000 looks, many of the same readings */
	assert_true(said <= 10);
}

static void what_levels_off_is_not(void **state)
{
	for (int i = 0; i < 40; i++) {
		add(i, 500 * (1 - exp(-i / 5.0)));
		if (i >= 8)
			assert_not_steady();
	}
}

/* What was before is forgotten. */
static void growth_after_a_long_rest_is_seen(void **state)
{
	int i = 0;

	while (i < 30)
		add(i++, 0);
	for (int k = 1; k <= CGROUP_RATE_READINGS; k++, i++)
		add(i, 10 * k);
	assert_steady(10, 1e-6);
	for (int k = 0; k < CGROUP_RATE_READINGS; k++, i++)
		add(i, 160);
	assert_not_steady();
}

static void a_clock_that_is_set_back_begins_anew(void **state)
{
	for (int i = 0; i < 10; i++)
		add(i, 10 * i);
	add(3, 200);
	assert_not_steady();
	for (int i = 4; i < 7; i++)
		add(i, 200 + 7 * (i - 3));
	assert_steady(7, 1e-6);
}

/* --- of a cgroup --- */

#define GIB (1ull << 30)

static struct memory_cgroup cgroup(void)
{
	static char path[] = "/kubepods/pod1";
	struct memory_cgroup c = {
		.version = 2,
		.path = path,
		.usage = 3 * GIB,
		.limit = 4 * GIB,
		.high = CGROUP_NO_LIMIT,
		.peak = 3 * GIB + (GIB >> 1),
		.room = GIB,
		.swap_usage = 0,
		.swap_limit = CGROUP_NO_LIMIT,
		.anon = 2 * GIB,
		.file = GIB,
		.kernel = 1 << 20,
		.shmem = 0,
		.file_inactive = 200 << 20,
		.events_max = 12,
		.processes = 7,
	};

	return c;
}

static void page_cache_is_not_growth(void **state)
{
	struct memory_cgroup c = cgroup();

	for (int i = 0; i < 10; i++) {
		c.usage += 50 << 20;
		c.file_inactive += 50 << 20;
		cgroup_rate_add(&rate, i * SECOND, &c);
		assert_not_steady();
	}
	for (int i = 0; i < CGROUP_RATE_READINGS; i++) {
		c.usage += 50 << 20;
		cgroup_rate_add(&rate, (20 + i) * SECOND, &c);
	}
	assert_true(cgroup_rate_steady(&rate, &growth));
	assert_true(fabs(growth.bytes_per_second - 50 * MIB) < 1);
	/* the kernel does not tell the page cache */
	c.file_inactive = CGROUP_UNKNOWN;
	assert_int_equal(memory_cgroup_kept(&c), c.usage);
	/* it has gone, or its usage is not to be read: what was before counts no more */
	c.usage = CGROUP_UNKNOWN;
	assert_true(memory_cgroup_kept(&c) == CGROUP_UNKNOWN);
	cgroup_rate_add(&rate, 100 * SECOND, &c);
	assert_not_steady();
	c.version = 0;
	cgroup_rate_add(&rate, 101 * SECOND, &c);
	assert_int_equal(rate.nr, 0);
}

static void assert_left(double bytes_per_second, const char *expected)
{
	struct memory_cgroup c = cgroup();
	char text[CGROUP_TEXT_LEFT];

	c.file_inactive = 0;
	assert_string_equal(cgroup_text_left(text, &c, bytes_per_second), expected);
}

static void time_left_is_told_roughly(void **state)
{
	assert_left((double)GIB, "less than 10 s to the limit at this rate");
	assert_left((double)GIB / 14, "about 10 s to the limit at this rate");
	assert_left((double)GIB / 94, "about 90 s to the limit at this rate");
	assert_left((double)GIB / 120, "about 2 min to the limit at this rate");
	assert_left((double)GIB / 370, "about 6 min to the limit at this rate");
	assert_left((double)GIB / 5340, "about 89 min to the limit at this rate");
	assert_left((double)GIB / 5460, "about 2 h to the limit at this rate");
	assert_left((double)GIB / (35 * 3600), "about 35 h to the limit at this rate");
	assert_left((double)GIB / (37 * 3600), "about 2 days to the limit at this rate");
	assert_left((double)GIB / (29 * 86400), "about 29 days to the limit at this rate");
	assert_left((double)GIB / (31 * 86400), "");
	assert_left(0, "");
	assert_left(-5, "");
	assert_left(NAN, "");
	assert_left(INFINITY, "less than 10 s to the limit at this rate");
}

static void assert_printed(const struct memory_cgroup *c, uint64_t bytes, double bytes_per_second,
			   const char *expected)
{
	struct catch caught;
	char *text;

	cgroup_print(catch_open(&caught), c, bytes, bytes_per_second);
	text = catch_text(&caught);
	assert_string_equal(text, expected);
	free(text);
}

static void it_is_printed(void **state)
{
	struct memory_cgroup c = cgroup();

	assert_printed(&c, 2 * GIB, 0,
		       "cgroup   /kubepods/pod1: 3.0 GiB of 4.0 GiB (this process 67 % of it), "
		       "peak 3.5 GiB, 7 processes\n"
		       "         events: high 0, max 12, oom 0, oom_kill 0\n"
		       "         page cache that goes first under pressure: 200.0 MiB\n");
	/* all that there can be */
	c.limit_path = (char[]){"/kubepods"};
	c.room_path = (char[]){"/"};
	c.room = 800 << 20;
	c.room_high = true;
	c.high = 3 * GIB + GIB / 2;
	c.pressure_some_us = 1234567;
	c.pressure_full_us = 345678;
	c.swap_usage = 12 << 20;
	c.swap_limit = GIB;
	c.processes = 1;
	assert_printed(
		&c, 9 * GIB, 2.5 * MIB,
		"cgroup   /kubepods/pod1: 3.0 GiB of 4.0 GiB, the limit of /kubepods "
		"(this process 100 % of it), peak 3.5 GiB, 1 process\n"
		"         800.0 MiB left of the memory.high of /; slowed down from 3.5 GiB on\n"
		"         events: high 0, max 12, oom 0, oom_kill 0; "
		"waited for memory 1.2 s, all at once 0.3 s\n"
		"         page cache that goes first under pressure: 200.0 MiB; swap 12.0 MiB of 1.0 GiB\n"
		"         about 7 min to memory.high at this rate (+2.5 MiB/s)\n");
}

static void what_is_not_known_is_left_out(void **state)
{
	struct memory_cgroup c = cgroup();

	c.limit = c.room = c.peak = c.file_inactive = c.events_max = c.events_high = c.events_oom =
		c.events_oom_kill = c.swap_usage = c.swap_limit = c.high = CGROUP_UNKNOWN;
	c.pressure_some_us = c.pressure_full_us = CGROUP_UNKNOWN;
	c.processes = 0;
	c.path = (char[]){"/a\033[2J\nb"};
	assert_printed(&c, 0, 0, "cgroup   /a\\x1b[2J\\x0ab: 3.0 GiB\n");
	c.limit = CGROUP_NO_LIMIT;
	assert_printed(&c, 0, MIB,
		       "cgroup   /a\\x1b[2J\\x0ab: 3.0 GiB, no limit\n"
		       "         it grows by 1.0 MiB/s\n");
	c.usage = 0;
	assert_printed(&c, GIB, NAN, "cgroup   /a\\x1b[2J\\x0ab: 0 B, no limit\n");
	c.usage = CGROUP_UNKNOWN;
	assert_printed(&c, 0, 0, "");
	c = (struct memory_cgroup){0};
	assert_printed(&c, GIB, MIB, "");
}

static void figures_of_version_1(void **state)
{
	struct memory_cgroup c = cgroup();

	c.version = 1;
	c.limit_path = (char[]){"/.."};
	c.high = GIB;
	c.events_high = c.events_oom = CGROUP_UNKNOWN;
	c.pressure_some_us = c.pressure_full_us = CGROUP_UNKNOWN;
	c.swap_usage = 12 << 20;
	c.swap_limit = 5 * GIB;
	assert_printed(
		&c, 0, 0,
		"cgroup   /kubepods/pod1: 3.0 GiB of 4.0 GiB, a limit above it, peak 3.5 GiB, "
		"7 processes\n"
		"         events: failcnt 12, oom_kill 0\n"
		"         page cache that goes first under pressure: 200.0 MiB; "
		"swap 12.0 MiB of 5.0 GiB with memory\n");
}

static void long_paths_show_their_end(void **state)
{
	struct memory_cgroup c = cgroup();
	char path[1000], expected[1200];

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	memcpy(path + sizeof(path) - 5, "/end", 5);
	c.path = path;
	c.usage = c.limit = c.peak = c.room = c.file_inactive = CGROUP_UNKNOWN;
	c.events_max = c.events_high = c.events_oom = c.events_oom_kill = CGROUP_UNKNOWN;
	c.usage = 0;
	c.processes = 0;
	snprintf(expected, sizeof(expected), "cgroup   ...%s: 0 B\n", path + 1000 - 1 - 159);
	assert_printed(&c, 0, 0, expected);
	/* of which each byte is four characters */
	memset(path + 1, '\001', sizeof(path) - 2);
	snprintf(expected, sizeof(expected), "cgroup   ...");
	for (int i = 0; i < 39; i++)
		strcat(expected, "\\x01");
	strcat(expected, ": 0 B\n");
	assert_printed(&c, 0, 0, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_line_is_steady_from_the_fourth_reading_on, empty),
		cmocka_unit_test_setup(readings_need_not_be_regular, empty),
		cmocka_unit_test_setup(with_little_noise_too, empty),
		cmocka_unit_test_setup(flat_is_not, empty),
		cmocka_unit_test_setup(hardly_any_growth_is_not, empty),
		cmocka_unit_test_setup(shrinking_is_not, empty),
		cmocka_unit_test_setup(a_step_is_not, empty),
		cmocka_unit_test_setup(two_steps_are_not, empty),
		cmocka_unit_test_setup(a_sawtooth_is_not, empty),
		cmocka_unit_test_setup(noise_is_not, empty),
		cmocka_unit_test_setup(what_levels_off_is_not, empty),
		cmocka_unit_test_setup(growth_after_a_long_rest_is_seen, empty),
		cmocka_unit_test_setup(a_clock_that_is_set_back_begins_anew, empty),
		cmocka_unit_test_setup(page_cache_is_not_growth, empty),
		cmocka_unit_test(time_left_is_told_roughly),
		cmocka_unit_test(it_is_printed),
		cmocka_unit_test(what_is_not_known_is_left_out),
		cmocka_unit_test(figures_of_version_1),
		cmocka_unit_test(long_paths_show_their_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
