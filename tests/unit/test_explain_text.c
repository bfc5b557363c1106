/* SPDX-License-Identifier: MIT */
/* Explanations as text: what is printed adds up, as a reader of it would add. */
#include "explanation_fixture.h"

#include "model/verdict.h"
#include "output/explain_text.h"
#include "output/explain_rows.h"
#include "output/wrap.h"

#include <ctype.h>

#define ROUNDS 400

static char *print(const struct explanation *e, const struct verdict *v,
		   const struct explain_text *how)
{
	struct catch caught;

	assert_int_equal(explain_print(catch_open(&caught), e, v, how), 0);
	return catch_text(&caught);
}

static char *print_diff(const struct explanation *a, const struct explanation *b,
			const struct explain_text *how)
{
	struct catch caught;

	assert_int_equal(explain_print_diff(catch_open(&caught), a, b, how), 0);
	return catch_text(&caught);
}

static void expect(char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in\n%s", part, text);
}

static void expect_not(char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("\"%s\" is in\n%s", part, text);
}

/* "   free blocks   1,024   50.0": the number behind the first text; false: there is none. */
static bool parse_line(const char *line, size_t *ret_indent, int64_t *ret_bytes)
{
	const char *p = line + strspn(line, " "), *end;
	uint64_t v = 0;
	bool minus;

	*ret_indent = (size_t)(p - line) / 2;
	p = strstr(p, "  ");
	if (!p)
		return false;
	p += strspn(p, " ");
	minus = *p == '-';
	p += *p == '-' || *p == '+';
	if (!isdigit((unsigned char)*p))
		return false;
	for (end = p; isdigit((unsigned char)*end) || *end == ','; end++)
		if (*end != ',')
			v = v * 10 + (uint64_t)(*end - '0');
	*ret_bytes = minus ? -(int64_t)v : (int64_t)v;
	return true;
}

/* Every level sums up to the line above it, the first to the last line of the table. The lines of it. */
static size_t check_table(const char *text, int64_t total)
{
	int64_t sums[3] = {0}, wanted[3] = {0};
	bool begun[3] = {false};
	const char *line = strstr(text, "bytes");
	size_t lines = 0;

	assert_non_null(line);
	for (line = strchr(line, '\n') + 1;; line = strchr(line, '\n') + 1, lines++) {
		bool last = !strncmp(line, "resident pages, sum", 19);
		size_t indent;
		int64_t bytes;

		if (!parse_line(line, &indent, &bytes) || indent > 2)
			fail_msg("no row: %.60s\n%s", line, text);
		for (size_t i = 2; i > indent; i--) {
			if (begun[i] && sums[i] != wanted[i - 1])
				fail_msg("above \"%.40s\" %lld, not %lld\n%s", line,
					 (long long)sums[i], (long long)wanted[i - 1], text);
			begun[i] = false;
			sums[i] = 0;
		}
		if (last) {
			assert_int_equal(bytes, total);
			assert_int_equal(sums[0], total);
			return lines;
		}
		begun[indent] = true;
		wanted[indent] = bytes;
		sums[indent] += bytes;
	}
}

static void what_is_small_is_folded(void **state)
{
	struct explanation *e = fix_explanation();
	struct explain_text how = {0};
	_cleanup_free_ char *text = print(e, NULL, &how);

	assert_string_equal(
		text,
		"# pid 4242  python3 /srv/app.py  CPython 3.12.1, pymalloc; 8 threads; "
		"2023-11-15 12:00:00, stopped for 12 ms\n"
		"\n"
		"                                         bytes  % RSS\n"
		"pymalloc                            65,376,256   86.8\n"
		"  free blocks in used pools         63,614,080   84.5\n"
		"  live blocks                        1,420,928    1.9\n"
		"  other (2 under 1 %)                  341,248    0.5\n"
		"programs, libraries, files           8,409,088   11.2\n"
		"  text and read-only data of files   6,766,592    9.0\n"
		"  private copies of file pages       1,458,176    1.9\n"
		"  other (2 under 1 %)                  184,320    0.2\n"
		"glibc heap                           1,403,904    1.9\n"
		"  in use                             1,259,520    1.7\n"
		"  other (3 under 1 %)                  144,384    0.2\n"
		"other (3 under 1 %, -v shows them)     102,400    0.1\n"
		"resident pages, sum                 75,291,648  100.0  VmRSS 75,291,648\n"
		"\n"
		"shared   7.7 MiB of it is shared with other processes; the fair share of all (Pss) "
		"is 64.5 MiB\n"
		"copies   63.8 MiB of 65.2 MiB anonymous memory is this process's alone; the rest is "
		"one with its\n"
		"         parent's or children's until either writes to it\n"
		"besides  page tables 240.0 KiB: paid for, and not in RSS\n");
	check_table(text, 75291648);
	fix_explanation_free(e);
}

static void verbose_names_every_row(void **state)
{
	struct explanation *e = fix_explanation();
	struct explain_text how = {.verbose = true};
	_cleanup_free_ char *text = print(e, NULL, &how);

	check_table(text, 75291648);
	expect(text, "\n    /usr/lib/x86_64-linux-gnu/libc.so.6              2,260,992    3.0");
	expect(text, "\n    thread 4250                                         12,288    0.0");
	expect(text, "\nvdso                                                     4,096    0.0");
	expect(text, "mapped here only  in huge pages\n");
	expect(text, "\nglibc heap                                           1,403,904    1.9"
		     "           175,104              0\n");
	expect(text, "\npymalloc 64 arenas; 4,006 pools in use, 3,942 of them less than 25 % full; "
		     "12 free\n");
	expect(text, "glibc 2.36, 1 arena; malloc_trim(0) would return 64.0 KiB");
	expect_not(text, "under 1 %");
	fix_explanation_free(e);
}

static void nothing_resident_is_no_error(void **state)
{
	struct explanation e = {.process.pid = 7};
	struct explain_text how = {0};
	_cleanup_free_ char *text = print(&e, NULL, &how), *same = NULL, *detailed = NULL;

	assert_string_equal(text, "# pid 7  no Python that is known\n"
				  "\n"
				  "                     bytes  % RSS\n"
				  "resident pages, sum      0      -\n");
	same = print_diff(&e, &e, &how);
	expect(same, "no change, RSS 0 B\n");
	how.verbose = true;
	detailed = print(&e, NULL, &how);
	check_table(detailed, 0);
}

static void huge_numbers_fit(void **state)
{
	struct explanation e = {0}, none = {0};
	struct explain_text how = {0};
	_cleanup_free_ char *text = NULL, *diff = NULL, *back = NULL, *wild = NULL;

	fix_row(&e, MEMORY_ANONYMOUS, "", (uint64_t)INT64_MAX - 5);
	fix_row(&e, MEMORY_SHARED, "", 5);
	fix_kernel(&e);
	e.kernel.swap = e.kernel.shared = e.kernel.pss = UINT64_MAX;
	e.pause_ns = INT64_MAX;
	e.paused = true;
	e.threads = UINT32_MAX;
	text = print(&e, NULL, &how);
	check_table(text, INT64_MAX);
	expect(text, "\nother anonymous mappings  9,223,372,036,854,775,802  100.0\n");
	diff = print_diff(&none, &e, &how);
	check_table(diff, INT64_MAX);
	back = print_diff(&e, &none, &how);
	check_table(back, -INT64_MAX);
	/* cannot be, and must be no crash */
	for (int k = 0; k < MEMORY_KINDS; k++)
		fix_row(&e, (enum memory_kind)k, "", UINT64_MAX - (uint64_t)k);
	e.heap = (struct heap_stats){.trim_bytes = UINT64_MAX, .arenas = UINT32_MAX};
	e.has_heap = e.has_pools = true;
	memset(&e.pools, 0xff, sizeof(e.pools));
	how.verbose = true;
	wild = print(&e, NULL, &how);
	expect(wild, "resident pages, sum");
	explanation_done(&e);
}

static void hostile_names_are_escaped(void **state)
{
	const char *evil = "\x1b]0;evil\x07\nresident pages, sum 1\r\xff\xe2\x80\xae.so";
	struct explain_text how = {.verbose = true};
	struct explanation *e = fix_explanation();
	_cleanup_free_ char *text = NULL;
	char long_name[256];

	fix_row(e, MEMORY_FILE_OTHER, evil, KIB(4));
	memset(long_name, '\n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = 0;
	fix_row(e, MEMORY_FILE_OTHER, long_name, KIB(8));
	for (size_t i = 0; i + 2 < sizeof(long_name); i += 3) /* of three bytes each */
		memcpy(long_name + i, "\xe2\x82\xac", 3);
	fix_row(e, MEMORY_FILE_OTHER, long_name, KIB(12));
	free(e->process.cmdline);
	e->process.cmdline = fix_copy(evil);
	snprintf(e->approximate_why, sizeof(e->approximate_why), "%s", evil);
	snprintf(e->pools_why, sizeof(e->pools_why), "%s", evil);
	snprintf(e->heap_why, sizeof(e->heap_why), "%s", evil);
	snprintf(e->library_mallocs, sizeof(e->library_mallocs), "%s", evil);
	e->approximate = true;
	e->has_pools = e->has_heap = false;
	fix_kernel(e);
	text = print(e, NULL, &how);
	check_table(text, (int64_t)e->total);
	for (const char *p = text; *p; p++)
		assert_true((unsigned char)*p >= 0x20 || *p == '\n');
	expect_not(text, "\xff");
	expect_not(text, "\xe2\x80\xae");
	expect(text, "\\x1b]0;evil\\x07\\x0aresident pages, sum");
	expect(text, "    ...\xe2\x82\xac");
	fix_explanation_free(e);
}

static void random_rows_add_up(void **state)
{
	unsigned int seed = 20231115;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct explain_text how = {.verbose = i % 2, .interval = i % 3};
		struct explanation *a = fix_random(&seed, i % 8 ? 20 : 200);
		struct explanation *b = fix_random(&seed, i % 5 ? 20 : 200);
		char *text = print(a, NULL, &how), *diff = print_diff(a, b, &how);
		size_t lines = check_table(text, (int64_t)a->total);

		if (!how.verbose)
			assert_true(lines <= EXPLAIN_LINES + MEMORY_GROUPS);
		if (strstr(diff, "bytes"))
			check_table(diff, (int64_t)b->total - (int64_t)a->total);
		else
			assert_true(a->total == b->total);
		free(text);
		free(diff);
		fix_explanation_free(a);
		fix_explanation_free(b);
	}
}

/* A row of its own says more than "other (1 under 1 %)". */
static void one_small_row_keeps_its_name(void **state)
{
	struct explanation e = {0};
	struct explain_text how = {0};
	_cleanup_free_ char *text = NULL;

	fix_row(&e, MEMORY_PY_LIVE, "", 1000000);
	fix_row(&e, MEMORY_PY_NEVER, "", 10);
	fix_row(&e, MEMORY_VDSO, "", 10);
	text = print(&e, NULL, &how);
	expect(text, "\n  blocks never used ");
	expect(text, "\nvdso ");
	expect_not(text, "other");
	explanation_done(&e);
}

static void many_rows_are_folded_further(void **state)
{
	struct explanation e = {0};
	struct explain_text how = {0};
	_cleanup_free_ char *text = NULL;

	for (int k = 0; k < MEMORY_KINDS; k++)
		fix_row(&e, (enum memory_kind)k, "", 1000000 + (uint64_t)k);
	text = print(&e, NULL, &how);
	assert_true(check_table(text, (int64_t)e.total) <= EXPLAIN_LINES + MEMORY_GROUPS);
	expect(text, "under 5 %, -v shows them)");
	explanation_done(&e);
}

static void counters_that_lag_are_said(void **state)
{
	struct explanation *e = fix_explanation();
	struct explain_text how = {0};
	_cleanup_free_ char *lags = NULL, *either = NULL, *moved = NULL, *without = NULL;

	e->kernel.vm_rss -= 4096 * 11;
	e->paused = true;
	lags = print(e, NULL, &how);
	expect(lags, " VmRSS 75,246,592: that counter lags, by 45,056\n");
	e->paused = false;
	either = print(e, NULL, &how);
	expect(either, " VmRSS 75,246,592: it moved on, or that counter lags, by 45,056\n");
	e->kernel.rollup_rss += 4096;
	moved = print(e, NULL, &how);
	expect(moved, " VmRSS 75,246,592, smaps_rollup 75,295,744: it changed meanwhile\n");
	e->kernel.vm_rss = 0;
	without = print(e, NULL, &how);
	expect(without, "75,291,648  100.0\n");
	fix_explanation_free(e);
}

static void notes_say_what_is_in_no_row(void **state)
{
	struct explanation *e = fix_explanation();
	struct explain_text how = {.width = 1000};
	_cleanup_free_ char *text = NULL, *paused = NULL, *moved = NULL, *detailed = NULL;

	e->kernel.swap = 12 << 20;
	e->rows[0].huge = 4 << 20;
	e->has_pools = e->has_heap = false;
	strcpy(e->pools_why, "pymalloc is not in use");
	strcpy(e->heap_why, "jemalloc is in use");
	e->approximate = true;
	e->paused = false;
	strcpy(e->approximate_why, "it grew by 8 KiB while it was read");
	e->kernel.rollup_rss = e->total + 8192;
	e->kernel.guard = 8192;
	e->cgroup = (struct memory_cgroup){.version = 2,
					   .path = fix_copy("/pod"),
					   .usage = 3u << 30,
					   .limit = 4ull << 30,
					   .high = CGROUP_NO_LIMIT,
					   .peak = CGROUP_UNKNOWN,
					   .room = 1u << 30};
	text = print(e, NULL, &how);
	expect(text,
	       "\ncaution  these figures are approximate: it grew by 8 KiB while it was read; "
	       "--pause stops the process while it is read\n");
	expect(text, "\nbesides  swap 12.0 MiB, page tables 240.0 KiB: paid for, and not in RSS\n");
	expect(text, "\nhuge     4.0 MiB is in huge pages");
	expect(text, "\npymalloc not looked into: pymalloc is not in use\n");
	expect(text, "\nheap     not looked into: jemalloc is in use\n");
	expect(text, "\ncgroup   /pod: 3.0 GiB of 4.0 GiB");
	expect_not(text, "guard");
	e->paused = e->has_heap = true;
	strcpy(e->heap.why_not, "the chunks do not end at top");
	e->heap.exact = false;
	paused = print(e, NULL, &how);
	expect_not(paused, "--pause");
	expect(paused, "\nheap     one of its own checks failed, as it was read: the chunks do not "
		       "end at top\n");
	e->paused = false;
	fix_row(e, MEMORY_HEAP_UNKNOWN, "", 4096);
	moved = print(e, NULL, &how);
	expect(moved, "\nheap     not classified, or not all of it, as it changed meanwhile or is "
		      "damaged: the chunks do not end at top\n");
	how.verbose = true;
	detailed = print(e, NULL, &how);
	expect(detailed, "\nunbacked guard pages 8.0 KiB");
	fix_explanation_free(e);
}

static void the_verdict_is_last(void **state)
{
	struct explanation *e = fix_explanation();
	struct explain_text how = {0};
	struct verdict v = {
		.nr_sentences = 2,
		.nr_remedies = 1,
		.sentences = {{.text = "50 % of RSS is free blocks in pymalloc pools that a few "
				       "survivors pin: 3,942 of 4,006 pools are sparse."},
			      {.text = "Second."}},
		.remedies = {{.text = "freeing them returns 59.6 MiB."}},
	};
	_cleanup_free_ char *text = print(e, &v, &how), *copied = NULL;
	const char *at = strstr(text, "\n\nverdict");

	assert_non_null(at);
	assert_string_equal(at, "\n\n"
				"verdict  50 % of RSS is free blocks in pymalloc pools that a few "
				"survivors pin: 3,942 of 4,006 pools\n"
				"         are sparse.\n"
				"         Second.\n"
				"remedy   freeing them returns 59.6 MiB.\n");
	/* what it says is not said twice */
	expect(text, "\ncopies ");
	v.sentences[1].finding = FINDING_COPIED;
	copied = print(e, &v, &how);
	expect_not(copied, "\ncopies ");
	fix_explanation_free(e);
}

static void paragraphs_keep_to_the_width(void **state)
{
	static const size_t widths[] = {1, 40, 41, 57, 80, 100, 1000};
	const char *said = "one two three four five six seven eight nine ten eleven twelve "
			   "thirteen \u20ac\u20ac\u20ac\u20ac fourteen fifteen sixteen";

	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		size_t width = max(widths[i], (size_t)40), column = 0;
		char words[256] = "";
		struct catch caught;
		char *text, *save = NULL;

		wrap_print(catch_open(&caught), "label", said, widths[i]);
		text = catch_text(&caught);
		for (const char *p = text; *p; p++) {
			column = *p == '\n' ? 0 : column + (((unsigned char)*p & 0xc0) != 0x80);
			assert_true(column <= width);
		}
		for (char *w = strtok_r(text, " \n", &save); w; w = strtok_r(NULL, " \n", &save)) {
			strcat(words, *words ? " " : "");
			strcat(words, w);
		}
		assert_memory_equal(words, "label ", 6);
		assert_string_equal(words + 6, said);
		free(text);
	}
}

static void differences_leave_out_what_is_the_same(void **state)
{
	struct explanation *a = fix_explanation(), *b = fix_later();
	struct explain_text how = {0};
	_cleanup_free_ char *text = print_diff(a, b, &how), *names = NULL;

	assert_string_equal(
		text,
		"# pid 4242  python3 /srv/app.py  2023-11-15 12:00:00 to 2023-11-15 12:00:05, 5.0 s\n"
		"RSS +48.0 KiB \u2192 71.9 MiB\n"
		"                                    change in bytes\n"
		"programs, libraries, files                  +40,960\n"
		"  text and read-only data of files          +40,960\n"
		"pymalloc                                          0\n"
		"  live blocks                                +4,096\n"
		"  free blocks in used pools                  -4,096\n"
		"stacks                                       +8,192\n"
		"  thread stacks                              +8,192\n"
		"resident pages, sum                         +49,152  now 75,340,800\n"
		"also     swap +4.0 KiB\n");
	check_table(text, 49152);
	how.verbose = true;
	names = print_diff(a, b, &how);
	check_table(names, 49152);
	expect(names, "\n    thread 4711 ");
	expect_not(names, "thread 4242");
	fix_explanation_free(a);
	fix_explanation_free(b);
}

static void a_quiet_interval_is_one_line(void **state)
{
	struct explanation *a = fix_explanation(), *b = fix_explanation(), *c = fix_later();
	struct explain_text how = {.interval = true};
	_cleanup_free_ char *quiet = NULL, *busy = NULL, *grows = NULL;

	b->time_ns += 5000000000;
	quiet = print_diff(a, b, &how);
	assert_string_equal(quiet, "12:00:05  pid 4242  no change, RSS 71.8 MiB\n");
	busy = print_diff(a, c, &how);
	expect(busy, "\n12:00:05  pid 4242  RSS +48.0 KiB \u2192 71.9 MiB\n");
	check_table(busy, 49152);
	/* what else is in the cgroup may grow */
	a->cgroup = (struct memory_cgroup){.version = 2,
					   .path = fix_copy("/a"),
					   .usage = 1 << 30,
					   .limit = 2u << 30,
					   .room = 1 << 30,
					   .file_inactive = CGROUP_UNKNOWN};
	b->cgroup = a->cgroup;
	b->cgroup.path = fix_copy("/a");
	b->cgroup.usage += 1 << 20;
	how.cgroup_rate = 1 << 20;
	grows = print_diff(a, b, &how);
	expect(grows,
	       "no change, RSS 71.8 MiB\ncgroup   +1.0 MiB \u2192 1.0 GiB; about 17 min to the "
	       "limit at this rate\n");
	fix_explanation_free(a);
	fix_explanation_free(b);
	fix_explanation_free(c);
}

static void two_processes_are_said(void **state)
{
	struct explanation *a = fix_explanation(), *b = fix_explanation();
	struct explain_text how = {0};
	_cleanup_free_ char *text = NULL;

	b->process.start_ticks++;
	b->approximate = true;
	text = print_diff(a, b, &how);
	expect(text, "# pid 4242  python3 /srv/app.py  2023-11-15 12:00:00\n# pid 4242");
	expect(text, "\n# these are two processes\nno change");
	expect(text, "\ncaution  the second reading is approximate\n");
	fix_explanation_free(a);
	fix_explanation_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_small_is_folded),
		cmocka_unit_test(verbose_names_every_row),
		cmocka_unit_test(nothing_resident_is_no_error),
		cmocka_unit_test(huge_numbers_fit),
		cmocka_unit_test(hostile_names_are_escaped),
		cmocka_unit_test(random_rows_add_up),
		cmocka_unit_test(one_small_row_keeps_its_name),
		cmocka_unit_test(many_rows_are_folded_further),
		cmocka_unit_test(counters_that_lag_are_said),
		cmocka_unit_test(notes_say_what_is_in_no_row),
		cmocka_unit_test(the_verdict_is_last),
		cmocka_unit_test(paragraphs_keep_to_the_width),
		cmocka_unit_test(differences_leave_out_what_is_the_same),
		cmocka_unit_test(a_quiet_interval_is_one_line),
		cmocka_unit_test(two_processes_are_said),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
