/* SPDX-License-Identifier: MIT */
/* Trees, tables and accounts of made-up profiles, against sums made by hand (profile_fixture.h). */
#include "profile_fixture.h"

#include "model/profile_tree.h"

static struct profile_tree *tree_of(const struct profile *p, struct profile_select s)
{
	struct profile_tree *t = NULL;

	assert_int_equal(profile_tree_new(p, &s, &t), 0);
	return t;
}

/* The child that is of this, or a failure. */
static const struct profile_node *child(const struct profile_tree *t, const struct profile_node *n,
					enum profile_node_kind kind, uint32_t of)
{
	for (uint32_t i = n->child; i != PROFILE_NONE; i = t->nodes[i].next)
		if (t->nodes[i].kind == kind && t->nodes[i].of == of)
			return &t->nodes[i];
	fail_msg("no child of kind %d of %u", kind, of);
	return NULL;
}

static const struct profile_node *function(const struct profile_tree *t,
					   const struct profile_node *n, uint32_t of)
{
	return child(t, n, PROFILE_NODE_FUNCTION, of);
}

static void assert_change(const struct profile_change *c, int64_t growth, int64_t shrink,
			  uint64_t events)
{
	assert_int_equal(c->growth, KIB(growth));
	assert_int_equal(c->shrink, KIB(shrink));
	assert_int_equal(c->events, events);
}

/* Every node is the sum of what is below it, and each is reached once. */
static void assert_whole(const struct profile_tree *t)
{
	uint32_t reached = 0;

	for (uint32_t i = 0; i != PROFILE_NONE; i = profile_tree_next(t, i)) {
		const struct profile_node *n = &t->nodes[i];
		struct profile_change sum = n->self;
		int64_t last = INT64_MAX;

		reached++;
		for (uint32_t c = n->child; c != PROFILE_NONE; c = t->nodes[c].next) {
			profile_sum(&sum, &t->nodes[c].total);
			assert_true(profile_net(&t->nodes[c].total) <= last);
			last = profile_net(&t->nodes[c].total);
			assert_int_equal(t->nodes[c].parent, i);
			assert_int_equal(t->nodes[c].depth, n->depth + 1);
		}
		assert_memory_equal(&sum, &n->total, sizeof(sum));
	}
	assert_int_equal(reached, t->nr_nodes);
}

static void the_tree_adds_up(void **state)
{
	struct profile *p = fix_profile();
	struct profile_tree *t = tree_of(p, (struct profile_select){0});
	const struct profile_node *root = &t->nodes[0], *main, *load, *n;

	assert_whole(t);
	/* rows 69120 - 16384, causes 8192 + 3584 - 1024 - 2048 */
	assert_change(&root->total, 69120 + 8192 + 3584, 16384 + 3072, 95);
	assert_int_equal(profile_net(&root->total), KIB(61440));
	main = function(t, function(t, root, FIX_MODULE), FIX_MAIN);
	assert_change(&main->total, 68608, 16384, 83);
	assert_change(&main->self, 0, 0, 0);
	load = function(t, main, FIX_LOAD);
	assert_change(&load->total, 68608, 10240, 77);
	assert_change(&load->self, 24576, 0, 24); /* both threads */
	n = function(t, load, FIX_PARSE);
	assert_change(&n->total, 41984, 10240, 51);
	assert_change(&n->self, 40960, 10240, 50);
	n = function(t, function(t, n, FIX_PARSE), FIX_PARSE);
	assert_change(&n->self, 1024, 0, 1);
	assert_change(&function(t, load, FIX_NATIVE)->self, 2048, 0, 2);
	assert_change(&function(t, main, FIX_DROP)->self, 0, 6144, 6);
	n = child(t, root, PROFILE_NODE_TRUNCATED, 0);
	assert_change(&n->self, 0, 0, 0);
	assert_change(&function(t, function(t, n, FIX_LOAD), FIX_PARSE)->self, 512, 0, 1);
	assert_change(&child(t, root, PROFILE_NODE_CAUSE, PROFILE_NO_THREAD)->self, 8192, 1024, 9);
	assert_change(&child(t, root, PROFILE_NODE_CAUSE, PROFILE_OTHER_TASK)->self, 0, 2048, 2);
	assert_change(&child(t, root, PROFILE_NODE_CAUSE, PROFILE_UNEXPLAINED)->self, 3584, 0, 0);
	assert_int_equal(t->nr_nodes, 15);
	assert_int_equal(t->depth, 6);
	profile_tree_free(t);
	profile_free(p);
}

static void inverted_it_begins_at_the_leaves(void **state)
{
	struct profile *p = fix_profile();
	struct profile_tree *t = tree_of(p, (struct profile_select){.inverted = true});
	const struct profile_node *parse, *load;

	assert_whole(t);
	assert_int_equal(profile_net(&t->nodes[0].total), KIB(61440));
	parse = function(t, &t->nodes[0], FIX_PARSE);
	assert_change(&parse->total, 42496, 10240, 52);
	load = function(t, parse, FIX_LOAD);
	assert_change(&load->total, 41472, 10240, 51);
	assert_change(&child(t, load, PROFILE_NODE_TRUNCATED, 0)->self, 512, 0, 1);
	load = function(t, &t->nodes[0], FIX_LOAD);
	assert_change(&load->total, 24576, 0, 24);
	assert_change(&function(t, function(t, load, FIX_MAIN), FIX_MODULE)->self, 24576, 0, 24);
	profile_tree_free(t);
	profile_free(p);
}

static void processes_and_threads_are_levels(void **state)
{
	struct profile *p = fix_profile();
	const struct profile_node *first, *second;
	struct profile_tree *t;

	fix_second_process(p);
	t = tree_of(p, (struct profile_select){.by_thread = true});
	assert_whole(t);
	assert_int_equal(profile_net(&t->nodes[0].total), KIB(61440 + 3072));
	first = child(t, &t->nodes[0], PROFILE_NODE_PROCESS, 4242);
	second = child(t, &t->nodes[0], PROFILE_NODE_PROCESS, 4300);
	assert_int_equal(profile_net(&first->total), KIB(61440));
	assert_change(&second->total, 3072, 0, 3);
	assert_change(&child(t, second, PROFILE_NODE_CAUSE, PROFILE_WALK_FAILED)->self, 1024, 0, 1);
	assert_change(&child(t, first, PROFILE_NODE_THREAD, 1)->total, 4096, 0, 4);
	assert_change(&child(t, first, PROFILE_NODE_THREAD, 0)->total, 65024, 16384, 80);
	profile_tree_free(t);

	t = tree_of(p, (struct profile_select){.pid = 4300});
	assert_whole(t);
	assert_change(&t->nodes[0].total, 3072, 0, 3);
	assert_int_equal(t->nr_nodes, 3); /* one process: no level of its own */
	profile_tree_free(t);
	profile_free(p);
}

static const struct profile_flat_row *row(const struct profile_flat *t, uint32_t function)
{
	for (uint32_t i = 0; i < t->nr_rows; i++)
		if (t->rows[i].function == function)
			return &t->rows[i];
	fail_msg("no row of function %u", function);
	return NULL;
}

static void functions_count_once_for_each_stack(void **state)
{
	const struct profile_select s = {0}, arena = {.event = PROFILE_ARENA};
	struct profile *p = fix_profile();
	struct profile_change self = {0};
	struct profile_flat *t;

	assert_int_equal(profile_flat_new(p, &s, &t), 0);
	assert_int_equal(t->nr_rows, 6);
	for (uint32_t i = 0; i < t->nr_rows; i++)
		profile_sum(&self, &t->rows[i].self);
	assert_change(&self, 69120, 16384, 84);
	assert_int_equal(t->rows[0].function, FIX_PARSE); /* 32256, then 24576 */
	assert_int_equal(t->rows[1].function, FIX_LOAD);
	assert_int_equal(t->rows[5].function, FIX_DROP);
	assert_change(&row(t, FIX_PARSE)->self, 42496, 10240, 52);
	assert_change(&row(t, FIX_PARSE)->total, 42496, 10240, 52); /* thrice in one stack */
	assert_change(&row(t, FIX_LOAD)->total, 69120, 10240, 78);
	assert_change(&row(t, FIX_MODULE)->total, 68608, 16384, 83);
	assert_change(&row(t, FIX_MODULE)->self, 0, 0, 0);
	assert_int_equal(row(t, FIX_PARSE)->line, 85);
	assert_int_equal(row(t, FIX_LOAD)->line, 47);
	assert_int_equal(row(t, FIX_DROP)->line, 301); /* nothing grew there */
	assert_int_equal(row(t, FIX_MAIN)->line, 0);
	profile_flat_free(t);

	assert_int_equal(profile_flat_new(p, &arena, &t), 0);
	assert_int_equal(t->nr_rows, 4);
	assert_change(&row(t, FIX_MODULE)->total, 2048, 1024, 3);
	profile_flat_free(t);
	profile_free(p);
}

static void the_account_is_the_change_of_rss(void **state)
{
	struct profile *p = fix_profile();
	struct profile_account a;

	profile_account(p, &(struct profile_select){0}, &a);
	assert_change(&a.attributed, 69120, 16384, 84);
	assert_change(&a.unattributed, 11776, 3072, 11);
	assert_change(&a.causes[PROFILE_UNEXPLAINED], 3584, 0, 0);
	assert_int_equal(profile_net(&a.attributed) + profile_net(&a.unattributed),
			 a.rss_after - a.rss_before);
	fix_second_process(p);
	profile_account(p, &(struct profile_select){.pid = 4300}, &a);
	assert_change(&a.attributed, 2048, 0, 2);
	assert_int_equal(a.rss_after - a.rss_before, KIB(3072));
	profile_account(p, &(struct profile_select){0}, &a);
	assert_int_equal(a.rss_after - a.rss_before, KIB(61440 + 3072));
	profile_free(p);
}

static void nothing_has_a_root_and_no_rows(void **state)
{
	const struct profile_select s = {.by_thread = true};
	struct profile *p = fix_empty();
	struct profile_tree *t = tree_of(p, s);
	struct profile_flat *flat;

	assert_int_equal(t->nr_nodes, 1);
	assert_int_equal(profile_tree_next(t, 0), PROFILE_NONE);
	profile_tree_free(t);
	assert_int_equal(profile_flat_new(p, &s, &flat), 0);
	assert_int_equal(flat->nr_rows, 0);
	profile_flat_free(flat);
	fix_process(p, 1, "x", 0, 4096);
	profile_balance(p);
	t = tree_of(p, s);
	assert_int_equal(t->nr_nodes, 2);
	assert_change(&child(t, &t->nodes[0], PROFILE_NODE_CAUSE, PROFILE_UNEXPLAINED)->total, 4, 0,
		      0);
	profile_tree_free(t);
	profile_free(p);
}

static void the_deepest_stack_fits(void **state)
{
	struct profile_frame frames[PROFILE_MAX_FRAMES];
	struct profile *p = fix_profile();
	struct profile_tree *t;

	fix_second_process(p);
	for (int i = 0; i < PROFILE_MAX_FRAMES; i++)
		frames[i] = (struct profile_frame){FIX_PARSE, i};
	fix_row(p, PROFILE_POOL, fix_stack(p, true, frames, PROFILE_MAX_FRAMES), 0, 1, 0, 1);
	t = tree_of(p, (struct profile_select){.event = PROFILE_POOL, .by_thread = true});
	assert_whole(t);
	assert_int_equal(t->depth, PROFILE_MAX_FRAMES + 3);
	assert_int_equal(t->nr_nodes, PROFILE_MAX_FRAMES + 4);
	profile_tree_free(t);
	profile_free(p);
}

static void sums_stop_at_the_limit(void **state)
{
	struct profile_change sum = {INT64_MAX - 1, 0, UINT64_MAX};

	profile_sum(&sum, &(struct profile_change){4, -5, 1});
	assert_int_equal(sum.growth, INT64_MAX);
	assert_int_equal(sum.shrink, 0);
	assert_true(sum.events == UINT64_MAX);
}

/* a <- _call_with_frames_removed <- _find_and_load <- main, and a leaf in the machinery itself */
static void the_import_machinery_is_left_out_of_brief_trees(void **state)
{
	const struct profile_function functions[] = {
		{PROFILE_PYTHON, "main", "/srv/app.py", 1},
		{PROFILE_PYTHON, "_find_and_load", "<frozen importlib._bootstrap>", 1304},
		{PROFILE_PYTHON, "get_data", "<frozen importlib._bootstrap_external>", 1187},
		{PROFILE_PYTHON, "<module>", "/srv/a.py", 1},
	};
	const struct profile_frame below[] = {{3, 7}, {2, 1190}, {1, 1310}, {0, 5}};
	const struct profile_frame inside[] = {{2, 1190}, {1, 1310}, {0, 5}};
	struct profile_thread thread = {.pid = 42, .tid = 42};
	struct profile_row row = {.event = PROFILE_RSS, .change = {.growth = KIB(8), .events = 1}};
	struct profile *p = profile_new();
	struct profile_process *of;
	const struct profile_node *main;
	struct profile_tree *t;
	uint32_t at;

	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(profile_add_function(p, &functions[i], &at), 0);
		assert_int_equal(at, i);
	}
	assert_int_equal(profile_add_thread(p, &thread, &row.thread), 0);
	assert_int_equal(profile_add_process(p, 42, &of), 0);
	assert_int_equal(profile_add_stack(p, below, 4, false, &row.stack), 0);
	assert_int_equal(profile_add_row(p, &row), 0);
	assert_int_equal(profile_add_stack(p, inside, 3, false, &row.stack), 0);
	assert_int_equal(profile_add_row(p, &row), 0);

	t = tree_of(p, (struct profile_select){.brief = true});
	assert_whole(t);
	assert_int_equal(t->nr_nodes, 4);
	main = function(t, &t->nodes[0], 0);
	assert_change(&main->total, 16, 0, 2);
	assert_change(&function(t, main, 3)->self, 8, 0, 1);
	assert_change(&function(t, main, 2)->self, 8, 0, 1);
	profile_tree_free(t);

	t = tree_of(p, (struct profile_select){0});
	assert_whole(t);
	assert_int_equal(t->nr_nodes, 5);
	assert_change(&function(t, function(t, &t->nodes[0], 0), 1)->total, 16, 0, 2);
	profile_tree_free(t);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_tree_adds_up),
		cmocka_unit_test(inverted_it_begins_at_the_leaves),
		cmocka_unit_test(processes_and_threads_are_levels),
		cmocka_unit_test(functions_count_once_for_each_stack),
		cmocka_unit_test(the_account_is_the_change_of_rss),
		cmocka_unit_test(nothing_has_a_root_and_no_rows),
		cmocka_unit_test(the_deepest_stack_fits),
		cmocka_unit_test(sums_stop_at_the_limit),
		cmocka_unit_test(the_import_machinery_is_left_out_of_brief_trees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
