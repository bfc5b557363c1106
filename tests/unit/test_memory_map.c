/* SPDX-License-Identifier: MIT */
/* Memory in cells and in rows of cells: nothing gets lost, and there are never too many of them. */
#include "fixture.h"
#include "map_fixture.h"

#include "output/map_rows.h"

#include <errno.h>

#define PAGE 4096u

static struct map_case open_case(const char *kind)
{
	struct map_case c;

	map_case_open(&c, kind);
	assert_int_equal(c.err, 0);
	return c;
}

/* Of all regions; and what must be so of each. */
static uint64_t check_regions(const struct memory_map *m, uint64_t *ret_used)
{
	uint64_t sum = 0;

	*ret_used = 0;
	assert_true(m->cell_bytes >= MEMORY_MAP_CELL);
	assert_int_equal(m->cell_bytes & (m->cell_bytes - 1), 0);
	for (size_t i = 0; i < m->nr; i++) {
		const struct memory_region *r = &m->v[i];
		uint64_t used = 0, unused = 0;

		assert_true(r->nr_cells > 0);
		for (size_t k = 0; k < r->nr_cells; k++) {
			const struct memory_cell *c = &r->cells[k];

			assert_true(c->used + c->free > 0 && c->used + c->free <= m->cell_bytes);
			assert_true(!k || c->at > r->cells[k - 1].at);
			assert_true((c->at + 1) * m->cell_bytes > r->start &&
				    c->at * m->cell_bytes < r->end);
			used += c->used;
			unused += c->free;
		}
		assert_int_equal(used, r->used);
		assert_int_equal(unused, r->free);
		if (i && r->group == m->v[i - 1].group) {
			assert_true(r->start > m->v[i - 1].start);
			assert_int_equal(r->number, m->v[i - 1].number + 1);
		} else {
			assert_int_equal(r->number, 1);
			assert_true(!i || r->group > m->v[i - 1].group);
		}
		sum += used + unused;
		*ret_used += used;
	}
	return sum;
}

static uint64_t bytes_in_use(struct account *a)
{
	struct account_row *rows;
	uint64_t total, used = 0;
	size_t nr;

	assert_int_equal(account_close(a, &rows, &nr, &total), 0);
	for (size_t i = 0; i < nr; i++)
		if (rows[i].kind == MEMORY_PY_LIVE || rows[i].kind == MEMORY_PY_OVERHEAD ||
		    rows[i].kind == MEMORY_HEAP_USED || rows[i].kind == MEMORY_ARENA_USED ||
		    rows[i].kind == MEMORY_MMAPPED)
			used += rows[i].bytes;
	free(rows);
	return used;
}

static void cells_add_up(void **state)
{
	static const char *const kinds[] = {"fragmented", "many", "sparse", "empty"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct map_case c = open_case(kinds[i]);
		uint64_t used;

		assert_int_equal(check_regions(&c.map, &used), c.e.total - 5 * MIB);
		assert_int_equal(used, bytes_in_use(c.a));
		assert_int_equal(c.map.left_out, 0);
		assert_true(c.map.nr_cells <= MEMORY_MAP_CELLS);
		map_case_close(&c);
	}
}

static void cells_are_by_address(void **state)
{
	const uint64_t at = 0x10000 - PAGE; /* the last page of a cell */
	struct memory_map m;
	struct account *a = account_new();
	struct account_area *area;
	struct account_row *rows;
	struct map_rows rows_of;
	uint64_t total;
	size_t nr;

	memory_map_watch(&m, a);
	assert_int_equal(account_pages(a, at, at + 2 * PAGE, 0), 0);
	assert_int_equal(account_pages(a, at + 4 * PAGE, at + 5 * PAGE, 0), 0);
	assert_int_equal(account_pages(a, at + 20 * PAGE, at + 30 * PAGE, 0), 0);
	assert_int_equal(account_area(a, at + 20 * PAGE, at + 30 * PAGE, MEMORY_STACK, NULL, NULL),
			 0);
	assert_int_equal(account_area(a, at, at + 8 * PAGE, MEMORY_HEAP_USED, NULL, &area), 0);
	account_part(area, at + 100, at + PAGE + 300, MEMORY_HEAP_TOP);
	assert_int_equal(account_close(a, &rows, &nr, &total), 0);
	assert_int_equal(memory_map_finish(&m), 0);
	assert_int_equal(m.nr, 1);
	assert_int_equal(m.v[0].group, MAP_HEAP);
	assert_int_equal(m.v[0].end - m.v[0].start, 8 * PAGE);
	assert_int_equal(m.v[0].nr_cells, 3);
	assert_int_equal(m.v[0].cells[0].at, 15);
	assert_int_equal(m.v[0].cells[0].used, 100);
	assert_int_equal(m.v[0].cells[0].free, PAGE - 100);
	assert_int_equal(m.v[0].cells[1].at, 16);
	assert_int_equal(m.v[0].cells[1].used, PAGE - 300);
	assert_int_equal(m.v[0].cells[1].free, 300);
	assert_int_equal(m.v[0].cells[2].at, 19);
	assert_int_equal(map_rows_of(&m, MAP_HEAP, 16384, 64, 96, &rows_of), 0);
	assert_int_equal(rows_of.nr, 1);
	assert_int_equal(rows_of.v[0].start, 0xc000);
	assert_int_equal(rows_of.v[0].nr, 2);
	assert_int_equal(rows_of.v[0].cells[0].used, 100);
	assert_int_equal(rows_of.v[0].cells[0].free, PAGE - 100);
	assert_int_equal(rows_of.v[0].cells[1].used, 2 * PAGE - 300);
	assert_int_equal(rows_of.v[0].cells[1].free, 300);
	map_rows_done(&rows_of);
	free(rows);
	memory_map_done(&m);
	account_free(a);
}

/* 100 GiB in arenas of 1 MiB: cells become larger, not more. */
static void large_ones_are_bounded(void **state)
{
	enum { ARENAS = 100 << 10 };
	struct account *a = account_new();
	struct account_row *rows;
	struct memory_map m;
	uint64_t total, used;
	size_t nr;

	memory_map_watch(&m, a);
	assert_int_equal(account_pages(a, PYMALLOC_AT, PYMALLOC_AT + ARENAS * MIB, 0), 0);
	for (uint64_t i = 0; i < ARENAS; i++) {
		uint64_t at = PYMALLOC_AT + i * 7919 % ARENAS * MIB;
		struct account_area *area;

		assert_int_equal(account_area(a, at, at + MIB, MEMORY_PY_OVERHEAD, NULL, &area), 0);
		account_part(area, at + 4096, at + MIB / 2, MEMORY_PY_FREE);
	}
	assert_int_equal(account_close(a, &rows, &nr, &total), 0);
	assert_int_equal(memory_map_finish(&m), 0);
	assert_int_equal(m.nr, ARENAS);
	assert_true(m.nr_cells <= MEMORY_MAP_CELLS);
	assert_int_equal(check_regions(&m, &used), ARENAS * MIB);
	assert_int_equal(used, ARENAS * (MIB / 2 + 4096));
	free(rows);
	memory_map_done(&m);
	account_free(a);
}

static void check_rows(const struct memory_map *m, enum map_group g, uint64_t least, size_t columns,
		       size_t max_rows)
{
	uint64_t used = 0, unused = 0, last = 0;
	struct map_rows rows;

	assert_int_equal(map_rows_of(m, g, least, columns, max_rows, &rows), 0);
	assert_true(rows.nr <= max_rows);
	for (size_t i = 0; i < rows.nr; i++) {
		const struct map_row *row = &rows.v[i];

		assert_true(row->nr > 0 && row->nr <= columns);
		assert_true(row->used + row->free > 0);
		assert_true(row->first <= row->last && m->v[row->last].group == g);
		for (size_t k = 0; k < row->nr; k++) {
			const struct map_cell *c = &row->cells[k];

			assert_true(c->used + c->free <= rows.cell_bytes);
			assert_true(c->inside || !(c->used + c->free));
			if (!c->inside)
				continue;
			assert_true(row->addresses[k] > last || (!i && !k));
			last = row->addresses[k];
			used += c->used;
			unused += c->free;
		}
	}
	assert_int_equal(used, rows.used);
	assert_int_equal(unused, rows.free);
	map_rows_done(&rows);
}

static void rows_hold_every_cell_once(void **state)
{
	static const char *const kinds[] = {"fragmented", "many", "sparse", "empty"};
	static const size_t most[] = {1, 3, 96};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct map_case c = open_case(kinds[i]);

		for (int g = 0; g < MAP_GROUPS; g++)
			for (size_t k = 0; k < ARRAY_SIZE(most); k++) {
				check_rows(&c.map, (enum map_group)g, 16384, 64, most[k]);
				check_rows(&c.map, (enum map_group)g, 4096, MAP_COLUMNS, most[k]);
				check_rows(&c.map, (enum map_group)g, 1 << 20, 8, most[k]);
			}
		map_case_close(&c);
	}
}

/* An arena of 1 MiB is a row of 64 cells, wherever it begins. */
static void an_arena_is_a_row(void **state)
{
	struct map_case c = open_case("fragmented");
	struct map_rows rows;

	assert_int_equal(map_rows_of(&c.map, MAP_PYMALLOC, 16384, 64, 96, &rows), 0);
	assert_int_equal(rows.regions, 40);
	assert_int_equal(rows.nr, 40);
	for (size_t i = 0; i < rows.nr; i++) {
		assert_int_equal(rows.v[i].start, PYMALLOC_AT + (i + (i > 20) * 3) * MIB);
		assert_int_equal(rows.v[i].first, i);
		assert_int_equal(rows.v[i].last, i);
		assert_int_equal(rows.v[i].nr, 64);
	}
	map_rows_done(&rows);
	map_case_close(&c);
}

/* Those that overlap are a lie, but no harm. */
static void regions_may_overlap(void **state)
{
	struct map_case c = {.a = account_new()};
	struct account_row *rows;
	uint64_t used;
	size_t nr;

	memory_map_watch(&c.map, c.a);
	map_pages(&c, 0, 300 * MIB);
	map_area(&c, 5 * MIB, MIB, MEMORY_PY_LIVE);
	map_area(&c, 5 * MIB + 100, 2 * MIB, MEMORY_PY_LIVE);
	map_area(&c, MIB, 200 * MIB, MEMORY_PY_FREE);
	map_area(&c, 0, 8 * MIB, MEMORY_PY_LIVE);
	map_area(&c, 100 * MIB, 900 * MIB, MEMORY_PY_LIVE);
	assert_int_equal(c.err, 0);
	assert_int_equal(account_close(c.a, &rows, &nr, &c.e.total), 0);
	assert_int_equal(memory_map_finish(&c.map), 0);
	assert_int_equal(check_regions(&c.map, &used), 300 * MIB);
	for (size_t most = 1; most < 500; most *= 2) {
		struct map_rows r;
		uint64_t sum = 0;

		assert_int_equal(map_rows_of(&c.map, MAP_PYMALLOC, 4096, 64, most, &r), 0);
		assert_true(r.nr <= most);
		for (size_t i = 0; i < r.nr; i++)
			sum += r.v[i].used + r.v[i].free;
		assert_int_equal(sum, 300 * MIB);
		map_rows_done(&r);
	}
	free(rows);
	map_case_close(&c);
}

static void levels_are_even(void **state)
{
	assert_int_equal(map_level(0, 0, 8), 0);
	assert_int_equal(map_level(0, 5, 8), 0);
	assert_int_equal(map_level(1, 1000000, 8), 1);
	assert_int_equal(map_level(1000, 0, 8), 7);
	assert_int_equal(map_level(990, 10, 8), 7);
	assert_int_equal(map_level(979, 21, 8), 6);
	for (unsigned int i = 0; i < 1000; i++)
		assert_true(map_level(i, 1000 - i, 11) <= map_level(i + 1, 999 - i, 11));
	assert_int_equal(map_percent(0, 0), 0);
	assert_int_equal(map_percent(1, 999999), 1);
	assert_int_equal(map_percent(999999, 1), 99);
	assert_int_equal(map_percent(5, 0), 100);
	assert_int_equal(map_percent(505, 495), 51);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells_add_up),
		cmocka_unit_test(cells_are_by_address),
		cmocka_unit_test(large_ones_are_bounded),
		cmocka_unit_test(rows_hold_every_cell_once),
		cmocka_unit_test(an_arena_is_a_row),
		cmocka_unit_test(regions_may_overlap),
		cmocka_unit_test(levels_are_even),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
