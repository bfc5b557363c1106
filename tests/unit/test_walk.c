/* SPDX-License-Identifier: MIT */
/*
 * The walker on recorded memory of every minor version. What it must print is what each interpreter
 * printed itself when it was recorded (tests/tools/record-walks.sh).
 */
#include "base/cleanup.h"
#include "base/fault.h"
#include "output/stats_text.h"
#include "walk_fixture.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MAX_FIXTURES 64

static const struct target nobody = {.pid = 1};

/* Opens a fixture, perhaps with some of its bytes changed; the caller closes p->mem. */
static void open_fixture(const char *name, struct python *p, unsigned int changes,
			 unsigned int seed)
{
	_cleanup_free_ void *image = NULL;
	struct fault f = {0};
	size_t len = 0;

	assert_int_equal(walk_load_state(name, &nobody, p), 0);
	assert_int_equal(walk_load_image(name, &image, &len), 0);
	for (unsigned int i = 0; i < changes; i++) {
		seed = seed * 1103515245 + 12345;
		/* past the header and the list of ranges, where the pages are */
		((uint8_t *)image)[len / 8 + seed % (len - len / 8)] ^=
			(uint8_t)(1 << (seed >> 28 & 7));
	}
	assert_int_equal(mem_image_parse(&p->mem, image, len, &f), 0);
}

static char *printed(const struct malloc_stats *s)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	stats_print(f, s);
	fclose(f);
	return text;
}

static char *expected(const char *name)
{
	char path[512], *text = calloc(1, 1 << 16);
	FILE *f;

	snprintf(path, sizeof(path), WALK_DIR "/%s.txt", name);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_true(fread(text, 1, (1 << 16) - 1, f) > 1000);
	fclose(f);
	return text;
}

static void prints_what_the_interpreter_printed(void **state)
{
	const char *name = *state;
	_cleanup_free_ char *got = NULL, *want = expected(name);
	struct read_losses losses;
	struct malloc_stats s;
	struct fault f = {0};
	struct python p;

	open_fixture(name, &p, 0, 0);
	assert_int_equal(python_read_stats(&p, &s, &losses, &f), 0);
	got = printed(&s);
	assert_string_equal(got, want);
	assert_false(read_losses_any(&losses));
	assert_int_equal(losses.arenas_unsettled, 0);
	mem_close(p.mem);
}

/* A target that lies gets a fault or a loss; what is called whole adds up. */
static void lies_are_noticed(void **state)
{
	const char *name = *state;

	for (unsigned int seed = 1; seed <= 200; seed++) {
		struct read_losses losses = {0};
		struct malloc_stats s = {0};
		struct fault f = {0};
		struct python p;

		open_fixture(name, &p, 1 + seed % 40, seed);
		if (!python_read_stats(&p, &s, &losses, &f)) {
			if (!losses.inconsistent && s.pymalloc)
				assert_true(stats_consistent(&s));
		} else {
			assert_true(f.text[0]);
		}
		mem_close(p.mem);
	}
}

/* A pool whose page is swapped out is a gap that is said, not a guess. */
static int absent_presence(struct mem *m, uint64_t addr, size_t nr_pages, uint64_t *present)
{
	memset(present, 0, (nr_pages + 63) / 64 * sizeof(*present));
	return 0;
}

static void what_is_not_there_is_counted(void **state)
{
	const char *name = *state;
	struct read_losses losses = {0};
	struct malloc_stats s = {0};
	struct fault f = {0};
	struct mem_ops ops;
	struct python p;

	open_fixture(name, &p, 0, 0);
	ops = *p.mem->ops;
	ops.presence = absent_presence;
	p.mem->ops = &ops;
	assert_int_equal(python_read_stats(&p, &s, &losses, &f), 0);
	assert_true(losses.pools_unread > 0);
	assert_int_equal(s.allocated_bytes, 0);
	assert_true(read_losses_any(&losses));
	mem_close(p.mem);
}

int main(void)
{
	static struct CMUnitTest tests[3 * MAX_FIXTURES];
	static char labels[3 * MAX_FIXTURES][96], names[MAX_FIXTURES][64];
	size_t nr = 0;
	glob_t g;

	if (glob(WALK_DIR "/*.state", 0, NULL, &g) || g.gl_pathc < 10 || g.gl_pathc > MAX_FIXTURES)
		return 1; /* each minor version has one */
	for (size_t i = 0; i < g.gl_pathc; i++) {
		static const struct {
			const char *label;
			CMUnitTestFunction function;
		} cases[] = {{"prints what it printed", prints_what_the_interpreter_printed},
			     {"lies are noticed", lies_are_noticed},
			     {"absent pages are counted", what_is_not_there_is_counted}};

		snprintf(names[i], sizeof(names[i]), "%.*s",
			 (int)(strlen(g.gl_pathv[i]) - strlen(WALK_DIR "/") - strlen(".state")),
			 g.gl_pathv[i] + strlen(WALK_DIR "/"));
		for (size_t k = 0; k < ARRAY_SIZE(cases); k++, nr++) {
			snprintf(labels[nr], sizeof(labels[nr]), "%s: %s", names[i],
				 cases[k].label);
			tests[nr] = (struct CMUnitTest){
				.name = labels[nr],
				.test_func = cases[k].function,
				.initial_state = names[i],
			};
		}
	}
	return _cmocka_run_group_tests("walk", tests, nr, NULL, NULL);
}
