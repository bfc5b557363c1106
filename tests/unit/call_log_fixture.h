/* SPDX-License-Identifier: MIT */
/* A directory for logs of calls, and what came to be in it. */
#ifndef PMT_TESTS_CALL_LOG_FIXTURE_H
#define PMT_TESTS_CALL_LOG_FIXTURE_H

#include "fixture.h"

#include "base/fault.h"
#include "output/call_log.h"

#define NAME "20261123_025835_3_4242_4243_P_0_PY3.12.1"

struct place {
	char top[64], dir[96], log[192], jsonl[192], other[128];
};

static const struct call_log_id id = {
	.time = 1795402715, .ordinal = 3, .pid = 4242, .tid = 4243, .version = "3.12.1"};

static const struct call_log_event first = {
	.cpu_ns = 113143999, .function = "grow", .file = "app/t1.py", .line = 8, .rss = 17371136};

static inline int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");
	strcpy(p->top, "/tmp/pmt-log-XXXXXX");
	if (!mkdtemp(p->top))
		return -1;
	snprintf(p->dir, sizeof(p->dir), "%s/logs", p->top);
	snprintf(p->log, sizeof(p->log), "%s/" NAME ".log", p->dir);
	snprintf(p->jsonl, sizeof(p->jsonl), "%s/" NAME ".jsonl", p->dir);
	snprintf(p->other, sizeof(p->other), "%s/other", p->top);
	*state = p;
	return 0;
}

static inline void empty(const char *path)
{
	_cleanup_dir_ DIR *dir = opendir(path);
	struct dirent *d;

	while (dir && (d = readdir(dir)))
		unlinkat(dirfd(dir), d->d_name, 0);
}

static inline int teardown(void **state)
{
	struct place *p = *state;

	empty(p->dir);
	rmdir(p->dir);
	empty(p->top);
	rmdir(p->top);
	free(p);
	return 0;
}

static inline char *contents(const char *path)
{
	char *text = calloc(1, 1 << 20);
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	assert_true(fread(text, 1, (1 << 20) - 1, f) < (1 << 20) - 1);
	fclose(f);
	return text;
}

static inline void holds(const char *path, const char *text)
{
	_cleanup_free_ char *found = contents(path);

	assert_string_equal(found, text);
}

static inline struct call_log *make(struct place *p, enum call_log_format format)
{
	struct call_log *l = NULL;
	struct fault f = {0};

	if (call_log_new(&l, p->dir, format, &id, &f))
		fail_msg("%s", f.text);
	return l;
}

static inline unsigned int lines(const char *text)
{
	unsigned int nr = 0;

	for (; *text; text++)
		nr += *text == '\n';
	return nr;
}

static inline void event(struct call_log *l, uint64_t nr, int64_t rss)
{
	struct call_log_event e = first;

	e.nr = nr;
	e.rss = rss;
	assert_int_equal(call_log_write(l, &e, NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
