/* SPDX-License-Identifier: MIT */
/*
 * Who has each resident byte: cases made by hand, and random ones against a map with an entry for every
 * byte.
 */
#include "fixture.h"

#include "model/account.h"
#include "model/page_runs.h"

#include "base/clock.h"

#include <errno.h>

#define PAGE 4096u

struct sheet {
	struct account *a;
	struct account_row *rows;
	size_t nr;
	uint64_t total;
};

static struct account *open_account(void)
{
	struct account *a = account_new();

	assert_non_null(a);
	return a;
}

static void pages(struct account *a, uint64_t from, uint64_t to, unsigned int flags)
{
	assert_int_equal(account_pages(a, from * PAGE, to * PAGE, flags), 0);
}

static struct account_area *area(struct account *a, uint64_t start, uint64_t end,
				 enum memory_kind kind, const char *name)
{
	struct account_area *new = NULL;

	assert_int_equal(account_area(a, start, end, kind, name, &new), 0);
	assert_non_null(new);
	return new;
}

static struct sheet close_account(struct account *a)
{
	struct sheet s = {.a = a};
	uint64_t sum = 0;

	assert_int_equal(account_close(a, &s.rows, &s.nr, &s.total), 0);
	for (size_t i = 0; i < s.nr; i++) {
		sum += s.rows[i].bytes;
		assert_true(s.rows[i].bytes > 0);
		assert_true(s.rows[i].huge <= s.rows[i].bytes);
		assert_true(s.rows[i].exclusive <= s.rows[i].bytes);
		assert_true(!i || s.rows[i].bytes <= s.rows[i - 1].bytes);
	}
	assert_int_equal(sum, s.total);
	return s;
}

static void sheet_done(struct sheet *s)
{
	free(s->rows);
	account_free(s->a);
}

static struct account_row row(const struct sheet *s, enum memory_kind kind, const char *name)
{
	struct account_row none = {.kind = kind, .name = name};

	for (size_t i = 0; i < s->nr; i++)
		if (s->rows[i].kind == kind && !strcmp(s->rows[i].name, name))
			return s->rows[i];
	return none;
}

static void nothing_is_nothing(void **state)
{
	struct sheet s = close_account(open_account());

	assert_int_equal(s.nr, 0);
	assert_int_equal(s.total, 0);
	sheet_done(&s);
	account_free(NULL);
}

static void unclaimed_is_anonymous(void **state)
{
	struct account *a = open_account();
	struct sheet s;

	pages(a, 1, 3, PAGE_IS_HUGE);
	pages(a, 3, 4, PAGE_IS_EXCLUSIVE);
	assert_int_equal(account_resident(a, 0, UINT64_MAX), 3 * PAGE);
	assert_int_equal(account_resident(a, PAGE + 1, 3 * PAGE + 7), 2 * PAGE + 6);
	assert_int_equal(account_resident(a, 5, 5), 0);
	assert_int_equal(account_resident(a, 6, 5), 0);
	s = close_account(a);
	assert_int_equal(s.nr, 1);
	assert_int_equal(row(&s, MEMORY_ANONYMOUS, "").bytes, 3 * PAGE);
	assert_int_equal(row(&s, MEMORY_ANONYMOUS, "").huge, 2 * PAGE);
	assert_int_equal(row(&s, MEMORY_ANONYMOUS, "").exclusive, PAGE);
	sheet_done(&s);
}

static void pages_must_ascend(void **state)
{
	struct account *a = open_account();

	pages(a, 4, 6, 0);
	assert_int_equal(account_pages(a, 5 * PAGE, 7 * PAGE, 0), -EINVAL);
	assert_int_equal(account_pages(a, PAGE, 2 * PAGE, 0), -EINVAL);
	assert_int_equal(account_pages(a, 8 * PAGE, 8 * PAGE, 0), -EINVAL);
	assert_int_equal(account_pages(a, 9 * PAGE, 8 * PAGE, 0), -EINVAL);
	assert_int_equal(account_pages(a, 8 * PAGE + 1, 9 * PAGE, 0), -EINVAL);
	assert_int_equal(account_pages(a, 8 * PAGE, 9 * PAGE - 1, 0), -EINVAL);
	pages(a, 6, 7, 0);
	area(a, 0, PAGE, MEMORY_BSS, NULL);
	/* they are all known before the first area */
	assert_int_equal(account_pages(a, 8 * PAGE, 9 * PAGE, 0), -EINVAL);
	assert_int_equal(account_resident(a, 0, UINT64_MAX), 3 * PAGE);
	assert_int_equal(account_area(a, 0, PAGE, MEMORY_KINDS, NULL, NULL), -EINVAL);
	account_free(a);
}

static void the_first_to_say_so_has_it(void **state)
{
	struct account *a = open_account();
	struct sheet s;

	pages(a, 0, 10, 0);
	area(a, 2 * PAGE, 4 * PAGE, MEMORY_STACK, "thread 1");
	area(a, 6 * PAGE, 7 * PAGE + 100, MEMORY_HEAP_USED, NULL);
	assert_int_equal(account_area(a, PAGE, 9 * PAGE, MEMORY_SHARED, "memfd:x", NULL), 0);
	area(a, 0, 10 * PAGE, MEMORY_SHARED, "memfd:x");
	area(a, 3 * PAGE, 20 * PAGE, MEMORY_BSS, "late");
	s = close_account(a);
	assert_int_equal(s.nr, 3);
	assert_int_equal(row(&s, MEMORY_STACK, "thread 1").bytes, 2 * PAGE);
	assert_int_equal(row(&s, MEMORY_HEAP_USED, "").bytes, PAGE + 100);
	assert_int_equal(row(&s, MEMORY_SHARED, "memfd:x").bytes, 7 * PAGE - 100);
	assert_int_equal(row(&s, MEMORY_BSS, "late").bytes, 0);
	assert_string_equal(s.rows[0].name, "memfd:x");
	sheet_done(&s);
}

static void parts_move_what_their_area_has(void **state)
{
	struct account *a = open_account();
	struct account_area *outer;
	struct sheet s;

	pages(a, 1, 2, PAGE_IS_HUGE);
	pages(a, 3, 4, PAGE_IS_EXCLUSIVE);
	area(a, PAGE + 1000, PAGE + 2000, MEMORY_VDSO, NULL);
	outer = area(a, PAGE, 4 * PAGE - 96, MEMORY_PY_OVERHEAD, "x");
	account_part(outer, 0, PAGE + 48, MEMORY_PY_LIVE);	    /* begins before the area */
	account_part(outer, PAGE, PAGE + 50, MEMORY_PY_FREE);	    /* two bytes are left of it */
	account_part(outer, PAGE + 10, PAGE + 40, MEMORY_PY_NEVER); /* done already */
	account_part(outer, PAGE + 70, PAGE + 70, MEMORY_PY_NEVER); /* empty */
	account_part(outer, PAGE + 90, PAGE + 80, MEMORY_PY_NEVER); /* backwards */
	account_part(outer, PAGE + 900, 3 * PAGE + 8, MEMORY_PY_LIVE); /* over a hole and a gap */
	account_part(outer, 3 * PAGE + 10, 3 * PAGE + 20, MEMORY_KINDS);
	account_part(outer, 4 * PAGE - 100, UINT64_MAX, MEMORY_PY_FREE); /* past its end */
	account_part(outer, 0, UINT64_MAX, MEMORY_PY_FREE_POOLS);	 /* nothing is left */
	s = close_account(a);
	assert_int_equal(s.total, 2 * PAGE);
	assert_int_equal(row(&s, MEMORY_VDSO, "").bytes, 1000);
	assert_int_equal(row(&s, MEMORY_PY_LIVE, "x").bytes, 48 + 100 + (PAGE - 2000) + 8);
	assert_int_equal(row(&s, MEMORY_PY_LIVE, "x").huge, 48 + 100 + (PAGE - 2000));
	assert_int_equal(row(&s, MEMORY_PY_LIVE, "x").exclusive, 8);
	assert_int_equal(row(&s, MEMORY_PY_FREE, "x").bytes, 2 + 4);
	assert_int_equal(row(&s, MEMORY_ANONYMOUS, "").bytes, 96);
	assert_int_equal(row(&s, MEMORY_PY_OVERHEAD, "x").bytes, 850 + PAGE - 8 - 100);
	assert_int_equal(row(&s, MEMORY_PY_NEVER, "x").bytes, 0);
	sheet_done(&s);
}

static void parts_of_two_areas_may_alternate(void **state)
{
	struct account *a = open_account();
	struct account_area *x, *y;
	struct sheet s;

	pages(a, 0, 8, 0);
	x = area(a, 4 * PAGE, 8 * PAGE, MEMORY_HEAP_USED, NULL);
	y = area(a, 0, 8 * PAGE, MEMORY_ARENA_USED, NULL);
	for (uint64_t i = 0; i < 4; i++) {
		account_part(x, (4 + i) * PAGE, (4 + i) * PAGE + 16, MEMORY_HEAP_FREE);
		account_part(y, i * PAGE + 8, i * PAGE + 16, MEMORY_ARENA_FREE);
	}
	s = close_account(a);
	assert_int_equal(row(&s, MEMORY_HEAP_FREE, "").bytes, 64);
	assert_int_equal(row(&s, MEMORY_ARENA_FREE, "").bytes, 32);
	assert_int_equal(row(&s, MEMORY_ARENA_USED, "").bytes, 4 * PAGE - 32);
	sheet_done(&s);
}

static void names_are_copied_and_bounded(void **state)
{
	char name[1000];
	struct account *a = open_account();
	struct sheet s;

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	pages(a, 0, 3, 0);
	area(a, 0, PAGE, MEMORY_FILE_TEXT, name);
	name[500] = 'b';
	area(a, PAGE, 2 * PAGE, MEMORY_FILE_TEXT, name);
	area(a, 2 * PAGE, 3 * PAGE, MEMORY_FILE_TEXT, "");
	strcpy(name, "changed");
	s = close_account(a);
	assert_int_equal(s.nr, 2);
	assert_int_equal(strlen(s.rows[0].name), 255);
	assert_int_equal(s.rows[0].bytes, 2 * PAGE);
	assert_int_equal(row(&s, MEMORY_FILE_TEXT, "").bytes, PAGE);
	sheet_done(&s);
}

/* A target can have any number of files; what does not get a name of its own is still counted. */
static void too_many_names_share_one(void **state)
{
	enum { NAMES = 65536 + 10 };
	struct account *a = open_account();
	struct sheet s;
	char name[32];

	pages(a, 0, NAMES, 0);
	for (uint64_t i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "file %d", (int)i);
		area(a, i * PAGE, (i + 1) * PAGE, MEMORY_FILE_OTHER, name);
	}
	s = close_account(a);
	assert_int_equal(s.nr, 65536 + 1);
	assert_int_equal(row(&s, MEMORY_FILE_OTHER, "").bytes, 10 * PAGE);
	sheet_done(&s);
}

/* Areas without a resident byte leave nothing behind, and their parts do no harm. */
static void invented_areas_cost_nothing(void **state)
{
	struct account *a = open_account();
	struct account_area *first, *one;
	struct sheet s;

	pages(a, 1, 2, 0);
	first = area(a, PAGE * 1000, PAGE * 1001, MEMORY_PY_LIVE, "x");
	for (uint64_t i = 0; i < 100000; i++) {
		one = area(a, PAGE * (1000 + i), PAGE * (1001 + i), MEMORY_PY_LIVE, "x");
		assert_ptr_equal(one, first);
		account_part(one, 0, UINT64_MAX, MEMORY_PY_FREE);
	}
	account_part(area(a, 10, 10, MEMORY_BSS, NULL), 0, UINT64_MAX, MEMORY_PY_FREE);
	account_part(area(a, 2 * PAGE, PAGE, MEMORY_BSS, NULL), 0, UINT64_MAX, MEMORY_PY_FREE);
	s = close_account(a);
	assert_int_equal(s.nr, 1);
	assert_int_equal(row(&s, MEMORY_ANONYMOUS, "").bytes, PAGE);
	sheet_done(&s);
}

static void what_is_claimed_is_known(void **state)
{
	struct account *a = open_account();

	pages(a, 0, 100, 0);
	assert_int_equal(account_unclaimed(a, 5), 5);
	area(a, 2 * PAGE, 4 * PAGE, MEMORY_BSS, NULL);
	area(a, 6 * PAGE, 7 * PAGE, MEMORY_BSS, NULL);
	area(a, 4 * PAGE, 5 * PAGE + 1, MEMORY_BSS, NULL);
	area(a, 200 * PAGE, 300 * PAGE, MEMORY_BSS, NULL); /* nothing is there */
	assert_int_equal(account_unclaimed(a, 2 * PAGE - 1), 2 * PAGE - 1);
	assert_int_equal(account_unclaimed(a, 2 * PAGE), 5 * PAGE + 1);
	assert_int_equal(account_unclaimed(a, 5 * PAGE), 5 * PAGE + 1);
	assert_int_equal(account_unclaimed(a, 5 * PAGE + 1), 5 * PAGE + 1);
	assert_int_equal(account_unclaimed(a, 6 * PAGE - 1), 6 * PAGE - 1);
	assert_int_equal(account_unclaimed(a, 7 * PAGE - 1), 7 * PAGE);
	assert_int_equal(account_unclaimed(a, 7 * PAGE), 7 * PAGE);
	assert_int_equal(account_unclaimed(a, 250 * PAGE), 250 * PAGE);
	assert_int_equal(account_unclaimed(a, UINT64_MAX), UINT64_MAX);
	account_free(a);
}

static void each_kind_has_names(void **state)
{
	for (int i = 0; i < MEMORY_KINDS; i++) {
		assert_non_null(memory_kind_name((enum memory_kind)i));
		assert_non_null(memory_kind_text((enum memory_kind)i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(memory_kind_name((enum memory_kind)i),
						memory_kind_name((enum memory_kind)j));
	}
	assert_string_equal(memory_kind_name(MEMORY_KINDS), "unknown");
	assert_string_equal(memory_kind_text(MEMORY_KINDS), "unknown");
}

/* --- random ones ------------------------------------------------------------------------------ */

#define SPACE_PAGES 24u
#define SPACE	    (SPACE_PAGES * PAGE)
#define NAMES	    3

static uint64_t random_state;

/* xorshift64*: the same everywhere, so that a failure can be repeated. */
static uint64_t random_below(uint64_t n)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dull % n;
}

struct byte_map {
	uint8_t resident[SPACE], flags[SPACE], kind[SPACE], name[SPACE], area[SPACE];
};

static const char *const names[NAMES] = {"", "one", "two"};

static void random_pages(struct account *a, struct byte_map *m)
{
	for (uint64_t p = random_below(4); p < SPACE_PAGES;) {
		uint64_t end = min(p + 1 + random_below(3), (uint64_t)SPACE_PAGES);
		unsigned int flags = (unsigned int)random_below(8);

		pages(a, p, end, flags);
		for (uint64_t i = p * PAGE; i < end * PAGE; i++) {
			m->resident[i] = 1;
			m->flags[i] = (uint8_t)flags;
			m->kind[i] = MEMORY_ANONYMOUS;
		}
		p = end + random_below(3);
	}
}

/* Of any length, and often ends where something else begins. */
static void random_range(uint64_t *start, uint64_t *end)
{
	uint64_t unit = random_below(3) ? PAGE / 4 : 1;

	*start = random_below(SPACE / unit) * unit;
	*end = min(*start + random_below(6 * PAGE / unit) * unit, (uint64_t)SPACE);
}

static void random_area(struct account *a, struct byte_map *m, uint8_t id)
{
	enum memory_kind kind = (enum memory_kind)random_below(MEMORY_KINDS);
	uint8_t name = (uint8_t)random_below(NAMES);
	struct account_area *area;
	uint64_t start, end, at = 0;

	random_range(&start, &end);
	assert_int_equal(account_area(a, start, end, kind, names[name], &area), 0);
	for (uint64_t i = start; i < end; i++) {
		if (m->area[i])
			continue;
		m->area[i] = id;
		m->kind[i] = kind;
		m->name[i] = name;
	}
	for (int parts = (int)random_below(40); parts; parts--) {
		uint64_t from, to;

		kind = (enum memory_kind)random_below(MEMORY_KINDS);
		if (random_below(8)) {
			from = at + random_below(200);
			to = from + random_below(random_below(10) ? 300 : 3 * PAGE);
		} else {
			random_range(&from, &to);
		}
		from += random_below(2) ? start : 0;
		to += random_below(2) ? start : 0;
		account_part(area, from, to, kind);
		for (uint64_t i = max(from, at); i < min(to, (uint64_t)SPACE); i++)
			if (m->area[i] == id)
				m->kind[i] = kind;
		if (to > max(from, at))
			at = to;
	}
}

/* What the watcher was told, byte by byte. */
struct told {
	uint8_t kind[SPACE]; /* + 1 */
	uint64_t bytes, ends[64];
	size_t areas;
};

static void note_span(void *ctx, const struct account_span *s)
{
	struct told *t = ctx;

	assert_true(s->start < s->end && s->end <= SPACE);
	assert_true(s->area_start <= s->start && s->end <= s->area_end);
	if (!*s->mark)
		*s->mark = ++t->areas;
	assert_true(t->areas < 64);
	assert_true(s->start >= t->ends[*s->mark]);
	t->ends[*s->mark] = s->end;
	for (uint64_t i = s->start; i < s->end; i++) {
		assert_int_equal(t->kind[i], 0);
		t->kind[i] = (uint8_t)(s->kind + 1);
	}
	t->bytes += s->end - s->start;
}

/* All that an area has, as what it is in the end, and nothing else. */
static void check_told(const struct told *t, const struct byte_map *m)
{
	uint64_t bytes = 0;

	for (uint64_t i = 0; i < SPACE; i++) {
		if (!m->resident[i] || !m->area[i])
			continue;
		assert_int_equal(t->kind[i], m->kind[i] + 1);
		bytes++;
	}
	assert_int_equal(t->bytes, bytes);
}

static void random_accounts(void **state)
{
	static struct byte_map m;
	static struct told told;

	for (uint64_t seed = 1; seed <= 400; seed++) {
		struct account_row want[MEMORY_KINDS][NAMES] = {0};
		struct account *a = open_account();
		uint64_t total = 0;
		struct sheet s;

		random_state = seed * 0x9e3779b97f4a7c15ull;
		memset(&m, 0, sizeof(m));
		memset(&told, 0, sizeof(told));
		account_watch(a, note_span, &told);
		random_pages(a, &m);
		for (uint8_t i = (uint8_t)random_below(20); i; i--)
			random_area(a, &m, i);
		for (uint64_t i = 0; i < SPACE; i++) {
			struct account_row *w = &want[m.kind[i]][m.name[i]];

			if (!m.resident[i])
				continue;
			w->bytes++;
			w->huge += !!(m.flags[i] & PAGE_IS_HUGE);
			w->exclusive += !!(m.flags[i] & PAGE_IS_EXCLUSIVE);
			total++;
		}
		s = close_account(a);
		assert_int_equal(s.total, total);
		check_told(&told, &m);
		for (int k = 0; k < MEMORY_KINDS; k++) {
			for (int n = 0; n < NAMES; n++) {
				struct account_row got = row(&s, (enum memory_kind)k, names[n]);

				if (got.bytes != want[k][n].bytes || got.huge != want[k][n].huge ||
				    got.exclusive != want[k][n].exclusive)
					fail_msg("seed %d: %s '%s': %d, not %d", (int)seed,
						 memory_kind_name((enum memory_kind)k), names[n],
						 (int)got.bytes, (int)want[k][n].bytes);
			}
		}
		sheet_done(&s);
	}
}

/* 100,000 runs, 20,000 areas in no order, and ten million parts: a quarter of a second here. */
static void many_of_everything(void **state)
{
	enum { RUNS = 100000, AREAS = 20000 };
	struct account *a = open_account();
	int64_t begin = clock_monotonic_ns();
	struct sheet s;

	for (uint64_t i = 0; i < RUNS; i++)
		pages(a, 2 * i, 2 * i + 1, 0);
	for (uint64_t i = 0; i < AREAS; i++) {
		/* each once: 7919 and 20,000 have no common factor */
		uint64_t start = i * 7919 % AREAS * (10 * PAGE);
		struct account_area *one =
			area(a, start, start + 10 * PAGE - 512, MEMORY_HEAP_USED, NULL);

		for (uint64_t at = start; at < start + 10 * PAGE; at += 80)
			account_part(one, at, at + 32, MEMORY_HEAP_FREE);
	}
	s = close_account(a);
	assert_int_equal(s.total, (uint64_t)RUNS * PAGE);
	sheet_done(&s);
	assert_true(clock_monotonic_ns() - begin < 20000000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_nothing),
		cmocka_unit_test(unclaimed_is_anonymous),
		cmocka_unit_test(pages_must_ascend),
		cmocka_unit_test(the_first_to_say_so_has_it),
		cmocka_unit_test(parts_move_what_their_area_has),
		cmocka_unit_test(parts_of_two_areas_may_alternate),
		cmocka_unit_test(names_are_copied_and_bounded),
		cmocka_unit_test(too_many_names_share_one),
		cmocka_unit_test(invented_areas_cost_nothing),
		cmocka_unit_test(what_is_claimed_is_known),
		cmocka_unit_test(each_kind_has_names),
		cmocka_unit_test(random_accounts),
		cmocka_unit_test(many_of_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
