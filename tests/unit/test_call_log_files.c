/* SPDX-License-Identifier: MIT */
/* Where logs of calls go. Ground truth: what the file system shows. */
#include "call_log_fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void a_version_is_a_part_of_a_name_only(void **state)
{
	struct call_log_id odd = id;
	struct place *p = *state;
	struct call_log *l;
	char path[256];

	odd.version = "../../../3.15.0rc1+\n0123456789012345678901234567890123456789";
	assert_int_equal(call_log_new(&l, p->dir, CALL_LOG_TEXT, &odd, NULL), 0);
	call_log_free(l);
	snprintf(path, sizeof(path), "%s/%s", p->dir,
		 "20261123_025835_3_4242_4243_P_0_PY.._.._.._3.15.0rc1+_01234567890.log");
	assert_int_equal(access(path, F_OK), 0);
}

static void file_and_directory_are_private(void **state)
{
	struct call_log *l;
	struct place *p = *state;
	bool root = geteuid() == 0;
	struct stat st;

	if (root) {
		setenv("SUDO_UID", "1234", 1);
		setenv("SUDO_GID", "4321", 1);
	}
	l = make(p, CALL_LOG_TEXT);
	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");
	assert_int_equal(stat(p->dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(st.st_uid, root ? 1234 : geteuid());
	assert_int_equal(stat(p->log, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_uid, root ? 1234 : geteuid());
	assert_int_equal(st.st_gid, root ? 4321 : getegid());
	call_log_free(l);
}

static void a_directory_that_is_there_stays_as_it_is(void **state)
{
	struct place *p = *state;
	struct stat st;

	assert_int_equal(mkdir(p->dir, 0750), 0);
	call_log_free(make(p, CALL_LOG_TEXT));
	assert_int_equal(stat(p->dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
}

static void refused(struct place *p, int err, const char *text)
{
	struct call_log *l = NULL;
	struct fault f = {0};

	assert_int_equal(call_log_new(&l, p->dir, CALL_LOG_TEXT, &id, &f), -err);
	assert_null(l);
	assert_non_null(strstr(f.text, text));
}

static void what_is_there_is_never_written_through(void **state)
{
	struct place *p = *state;

	put(p->other, "precious");
	assert_int_equal(mkdir(p->dir, 0700), 0);
	assert_int_equal(symlink("../other", p->log), 0);
	refused(p, EEXIST, "/" NAME ".log: File exists");
	unlink(p->log);
	assert_int_equal(symlink("../new", p->log), 0);
	refused(p, EEXIST, "/" NAME ".log: File exists");
	unlink(p->log);
	put(p->log, "older");
	refused(p, EEXIST, "/" NAME ".log: File exists");
	holds(p->log, "older");
	holds(p->other, "precious");
}

static void what_is_no_place_for_a_log(void **state)
{
	struct place *p = *state;

	put(p->other, "a file");
	strcpy(p->dir, p->other);
	refused(p, ENOTDIR, "/other/" NAME ".log: Not a directory");
	snprintf(p->dir, sizeof(p->dir), "%s/not/there", p->top);
	refused(p, ENOENT, "/not/there/" NAME ".log: No such file or directory");
	snprintf(p->dir, sizeof(p->dir), "%s/\n", p->top);
	call_log_free(make(p, CALL_LOG_TEXT));
	refused(p, EEXIST, "/\\x0a/" NAME ".log: File exists");
}

/* What was put in the place of a log that is open is not written to. */
static void replaced(struct place *p)
{
	struct call_log *l = make(p, CALL_LOG_TEXT);
	struct fault f = {0};

	event(l, 0, 1000);
	assert_int_equal(call_log_flush(l, &f), 0);
	assert_int_equal(unlink(p->log), 0);
	assert_int_equal(rename(p->other, p->log), 0);
	event(l, 1, 1000);
	assert_int_equal(call_log_flush(l, &f), -ESTALE);
	assert_non_null(strstr(f.text, "/" NAME ".log: another file is in its place"));
	assert_int_equal(call_log_write(l, &first, &f), -ESTALE);
	assert_int_equal(call_log_last(l, NULL, &f), -ESTALE);
}

static void another_file_in_its_place_is_not_written_to(void **state)
{
	struct place *p = *state;
	char precious[160];

	snprintf(precious, sizeof(precious), "%s/precious", p->top);
	put(precious, "precious");
	assert_int_equal(link(precious, p->other), 0);
	replaced(p);
	holds(p->log, "precious");
	unlink(p->log);

	assert_int_equal(symlink("../precious", p->other), 0);
	replaced(p);
	unlink(p->log);

	assert_int_equal(mkfifo(p->other, 0600), 0);
	replaced(p);
	unlink(p->log);
	holds(precious, "precious");
}

static void a_full_disk_is_a_fault(void **state)
{
	struct place *p = *state;
	struct call_log *l = make(p, CALL_LOG_TEXT);
	struct rlimit before, small;
	struct fault f = {0};
	_cleanup_free_ char *text = NULL;
	int err;

	signal(SIGXFSZ, SIG_IGN);
	event(l, 0, 1000);
	event(l, 1, 1000);
	event(l, 2, 1000);
	getrlimit(RLIMIT_FSIZE, &before);
	small = before;
	small.rlim_cur = 600;
	setrlimit(RLIMIT_FSIZE, &small);
	err = call_log_flush(l, &f);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(err, -EFBIG);
	assert_non_null(strstr(f.text, "cannot write "));
	assert_non_null(strstr(f.text, NAME ".log: File too large"));
	fault_clear(&f);
	assert_int_equal(call_log_write(l, &first, &f),
			 -EFBIG); /* nothing follows what is missing */
	assert_non_null(strstr(f.text, "File too large"));
	assert_int_equal(call_log_message(l, "lost", &f), -EFBIG);
	assert_int_equal(call_log_last(l, &first, &f), -EFBIG);
	text = contents(p->log);
	assert_int_equal(strlen(text), 600);
}

#define MANY 300

static void there_are_more_logs_than_descriptors(void **state)
{
	static struct call_log *logs[MANY];
	struct rlimit few, before;
	struct place *p = *state;
	struct call_log_id each = id;
	unsigned int whole = 0;
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *d;

	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	few.rlim_cur = 16;
	setrlimit(RLIMIT_NOFILE, &few);
	for (int i = 0; i < MANY; i++) {
		each.ordinal = (unsigned int)i;
		each.tid = 5000 + i;
		assert_int_equal(call_log_new(&logs[i], p->dir, CALL_LOG_TEXT, &each, NULL), 0);
	}
	for (uint64_t nr = 0; nr < 50; nr++)
		for (int i = 0; i < MANY; i++)
			event(logs[i], nr, i);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(call_log_last(logs[i], NULL, NULL), 0);
	setrlimit(RLIMIT_NOFILE, &before);

	dir = opendir(p->dir);
	while ((d = readdir(dir))) {
		_cleanup_free_ char *text = NULL;
		char path[512], rss[32];
		int i;

		if (sscanf(d->d_name, "20261123_025835_%d_4242_", &i) != 1)
			continue;
		snprintf(path, sizeof(path), "%s/%s", p->dir, d->d_name);
		text = contents(path);
		assert_int_equal(lines(text), 2 + 50 + 2);
		assert_string_equal(text + strlen(text) - 4, "EOF\n");
		snprintf(rss, sizeof(rss), " %d\nNEXT: 1 ", i);
		assert_non_null(strstr(text, rss));
		whole++;
	}
	assert_int_equal(whole, MANY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_version_is_a_part_of_a_name_only),
		TEST(file_and_directory_are_private),
		TEST(a_directory_that_is_there_stays_as_it_is),
		TEST(what_is_there_is_never_written_through),
		TEST(what_is_no_place_for_a_log),
		TEST(another_file_in_its_place_is_not_written_to),
		TEST(a_full_disk_is_a_fault),
		TEST(there_are_more_logs_than_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
