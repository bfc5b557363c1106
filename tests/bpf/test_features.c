/* SPDX-License-Identifier: MIT */
/*
 * The feature table: rows are complete, probes tell what this kernel has, masks work, and what falls
 * back still counts right. Answers are remembered, so each case runs in a process of its own.
 */
#include "bpf_test.h"

#include "base/cleanup.h"
#include "trace/features.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>

/* Runs a case in a child with that mask; the child's failed assertion fails the test. */
static void with_mask(const char *mask, void (*what)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	fflush(stderr);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (mask)
			setenv("PYMEMTRACE_WITHOUT", mask, 1);
		else
			unsetenv("PYMEMTRACE_WITHOUT");
		what();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status)
		fail_msg("mask %s: status %d", mask ?: "none", status);
}

#define REQUIRE(what)                                                              \
	do {                                                                       \
		if (!(what)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
			_exit(1);                                                  \
		}                                                                  \
	} while (0)

static void rows_are_complete(void **state)
{
	for (int i = 0; i < FEATURE_COUNT; i++) {
		assert_non_null(features[i].name);
		assert_true(*features[i].offers && *features[i].without);
		assert_non_null(features[i].probe);
		assert_null(strpbrk(features[i].name, ", "));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(features[i].name, features[j].name);
	}
}

static void check_probes(void)
{
	/* What the tests of this directory need anyway, so it must be there. */
	static const enum feature needed[] = {
		FEATURE_BTF, FEATURE_CAP_BPF,	FEATURE_CAP_PERFMON, FEATURE_CAP_SYS_PTRACE,
		FEATURE_BPF, FEATURE_RSS_STAT,	FEATURE_TASK_ITER,   FEATURE_RINGBUF,
		FEATURE_MEM, FEATURE_MAP_FILES,
	};
	const char *detail;

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		if (!feature_has(needed[i], &detail))
			fprintf(stderr, "%s: %s\n", features[needed[i]].name, detail);
		REQUIRE(feature_has(needed[i], NULL));
	}
	for (int i = 0; i < FEATURE_COUNT; i++) {
		detail = NULL;
		feature_has(i, &detail);
		REQUIRE(detail && *detail);
	}
	REQUIRE(feature_has(FEATURE_UPROBE_MULTI, NULL) || feature_has(FEATURE_PERF_UPROBE, NULL));
}

static void probes_tell_what_is_there(void **state)
{
	with_mask(NULL, check_probes);
}

static void check_masked(void)
{
	const char *detail;

	REQUIRE(!feature_has(FEATURE_UPROBE_MULTI, &detail));
	REQUIRE(!strcmp(detail, "masked by PYMEMTRACE_WITHOUT"));
	REQUIRE(!feature_has(FEATURE_PAGEMAP_SCAN, NULL));
	REQUIRE(feature_has(FEATURE_RINGBUF, NULL));
	REQUIRE(feature_masked("uprobe_multi"));
	REQUIRE(!feature_masked("uprobe") && !feature_masked("pagemap") && !feature_masked(""));
}

static void masks_are_by_whole_name(void **state)
{
	with_mask("uprobe_multi,pagemap_scan", check_masked);
	with_mask("pagemap_scan,x,uprobe_multi", check_masked);
}

static void refuse_without_btf(void)
{
	struct trace_options o = {};
	struct fault f = {};
	struct trace *t;

	REQUIRE(trace_open(&t, &o, &f) == -ENOTSUP);
	REQUIRE(*f.text && *f.hint);
}

static void no_btf_is_refused_with_a_reason(void **state)
{
	with_mask("btf", refuse_without_btf);
}

/* As nobody: the fault must name what is missing. */
static void refuse_without_privilege(void)
{
	struct trace_options o = {};
	struct fault f = {};
	struct trace *t;

	REQUIRE(!setgid(65534) && !setuid(65534));
	REQUIRE(!feature_has(FEATURE_CAP_BPF, NULL));
	REQUIRE(trace_open(&t, &o, &f) == -EPERM);
	REQUIRE(strstr(f.hint, "CAP_BPF"));
}

static void no_privilege_is_refused_with_a_reason(void **state)
{
	with_mask(NULL, refuse_without_privilege);
}

static void read_without_rss_stat(void)
{
	struct trace_options o = {};
	struct pmt_target what = {};
	struct fault f = {};
	struct trace_counts n;
	struct trace *t;

	REQUIRE(trace_open(&t, &o, &f) == 0);
	REQUIRE(trace_set_target(t, getpid(), &what, &f) == 0);
	REQUIRE(trace_read(t, getpid(), &n, &f) == 0);
	REQUIRE(n.rss_exact.anon > 0 && n.rss_exact.file > 0 && n.rss_events == 0);
	trace_close(t);
}

static void rss_is_read_without_its_events(void **state)
{
	with_mask("rss_stat", read_without_rss_stat);
}

static void what_uprobes(void)
{
	struct trace_options o = {};
	struct fault f = {};
	struct trace *t;
	bool multi;

	REQUIRE(trace_open(&t, &o, &f) == 0);
	multi = feature_has(FEATURE_UPROBE_MULTI, NULL);
	REQUIRE(!strcmp(trace_uprobe_kind(t), multi ? "uprobe_multi" : "perf uprobes"));
	REQUIRE(!feature_masked("uprobe_multi") || !multi);
	REQUIRE(trace_rss_is_batched(t) == !feature_has(FEATURE_RSS_EXACT, NULL));
	trace_close(t);
}

static void a_session_uses_what_is_there(void **state)
{
	with_mask(NULL, what_uprobes);
	with_mask("uprobe_multi", what_uprobes);
}

static void run_arena_tests(void)
{
	char path[4096];
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	sibling("test_arena", path);
	dup2(null, 1);
	dup2(null, 2);
	execl(path, path, NULL);
	_exit(127);
}

/* To see what failed: PYMEMTRACE_WITHOUT=uprobe_multi test_arena */
static void perf_uprobes_count_the_same(void **state)
{
	with_mask("uprobe_multi", run_arena_tests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_complete),
		cmocka_unit_test(probes_tell_what_is_there),
		cmocka_unit_test(masks_are_by_whole_name),
		cmocka_unit_test(no_btf_is_refused_with_a_reason),
		cmocka_unit_test(no_privilege_is_refused_with_a_reason),
		cmocka_unit_test(rss_is_read_without_its_events),
		cmocka_unit_test(a_session_uses_what_is_there),
		cmocka_unit_test(perf_uprobes_count_the_same),
	};

	return cmocka_run_group_tests_name("features", tests, NULL, NULL);
}
