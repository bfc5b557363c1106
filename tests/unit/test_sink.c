/* SPDX-License-Identifier: MIT */
/* Output files: whole or not at all. Ground truth: what the file system shows afterwards. */
#include "fixture.h"

#include "base/fault.h"
#include "output/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

struct place {
	char dir[64], file[128], other[128];
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	signal(SIGPIPE, SIG_IGN);
	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");
	strcpy(p->dir, "/tmp/pmt-sink-XXXXXX");
	if (!mkdtemp(p->dir))
		return -1;
	snprintf(p->file, sizeof(p->file), "%s/out.txt", p->dir);
	snprintf(p->other, sizeof(p->other), "%s/other.txt", p->dir);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	unlink(p->file);
	unlink(p->other);
	rmdir(p->dir);
	free(p);
	return 0;
}

static unsigned int entries(const char *path)
{
	_cleanup_dir_ DIR *dir = opendir(path);
	unsigned int nr = 0;

	assert_non_null(dir);
	while (readdir(dir))
		nr++;
	return nr - 2;
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void holds(const char *path, const char *text)
{
	char buf[64] = "";
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	assert_true(fread(buf, 1, sizeof(buf) - 1, f) > 0);
	fclose(f);
	assert_string_equal(buf, text);
}

static void appears_whole_at_commit(void **state)
{
	struct place *p = *state;
	struct fault f = {0};
	struct stat st;
	struct sink s;

	assert_int_equal(sink_open(&s, p->file, false, &f), 0);
	fputs("data\n", s.f);
	assert_int_equal(sink_flush(&s, &f), 0);
	assert_int_equal(access(p->file, F_OK), -1);
	assert_int_equal(sink_commit(&s, &f), 0);
	holds(p->file, "data\n");
	assert_int_equal(stat(p->file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(entries(p->dir), 1);
}

static void abort_leaves_nothing(void **state)
{
	struct place *p = *state;
	struct fault f = {0};
	struct sink s;

	assert_int_equal(sink_open(&s, p->file, false, &f), 0);
	fputs("data\n", s.f);
	sink_abort(&s);
	assert_int_equal(entries(p->dir), 0);
	sink_abort(&s);
}

static void an_existing_file_is_refused_without_force(void **state)
{
	struct place *p = *state;
	struct fault f = {0};
	struct sink s;

	put(p->file, "old");
	assert_int_equal(sink_open(&s, p->file, false, &f), -EEXIST);
	assert_string_equal(f.hint, "-f replaces it");
	holds(p->file, "old");

	assert_int_equal(sink_open(&s, p->file, true, &f), 0);
	fputs("new", s.f);
	holds(p->file, "old");
	assert_int_equal(sink_commit(&s, &f), 0);
	holds(p->file, "new");
	assert_int_equal(entries(p->dir), 1);
}

static void a_file_that_appears_meanwhile_is_kept(void **state)
{
	struct place *p = *state;
	struct fault f = {0};
	struct sink s;

	assert_int_equal(sink_open(&s, p->file, false, &f), 0);
	fputs("new", s.f);
	put(p->file, "theirs");
	assert_int_equal(sink_commit(&s, &f), -EEXIST);
	assert_string_equal(f.hint, "-f replaces it");
	holds(p->file, "theirs");
	assert_int_equal(entries(p->dir), 1);
}

static void a_link_is_never_written_through(void **state)
{
	struct place *p = *state;
	struct fault f = {0};
	struct stat st;
	struct sink s;

	put(p->other, "precious");
	assert_int_equal(symlink(p->other, p->file), 0);
	assert_int_equal(sink_open(&s, p->file, false, &f), -EEXIST);
	assert_int_equal(sink_open(&s, p->file, true, &f), 0);
	fputs("new", s.f);
	assert_int_equal(sink_commit(&s, &f), 0);
	holds(p->other, "precious");
	holds(p->file, "new");
	assert_int_equal(lstat(p->file, &st), 0);
	assert_true(S_ISREG(st.st_mode));

	/* dangling */
	unlink(p->file);
	unlink(p->other);
	assert_int_equal(symlink(p->other, p->file), 0);
	assert_int_equal(sink_open(&s, p->file, false, &f), -EEXIST);
	assert_int_equal(access(p->other, F_OK), -1);
}

static void a_link_to_a_device_is_not_replaced(void **state)
{
	struct place *p = *state;
	struct fault f = {0};
	struct sink s;

	assert_int_equal(symlink("/dev/null", p->file), 0);
	assert_int_equal(sink_open(&s, p->file, true, &f), -EINVAL);
	assert_non_null(strstr(f.text, "link"));
}

static void a_full_disk_is_a_fault(void **state)
{
	struct fault f = {0};
	struct sink s;

	assert_int_equal(sink_open(&s, "/dev/full", false, &f), 0);
	fputs("data", s.f);
	assert_int_equal(sink_commit(&s, &f), -ENOSPC);
	assert_string_equal(f.text, "cannot write /dev/full: No space left on device");

	/* noticed too when the buffer ran over long before */
	assert_int_equal(sink_open(&s, "/dev/full", true, &f), 0);
	for (int i = 0; i < 100000; i++)
		fputs("data", s.f);
	assert_int_equal(sink_flush(&s, &f), -ENOSPC);
	assert_int_equal(sink_commit(&s, &f), -ENOSPC);
}

static void a_device_stays_a_device(void **state)
{
	struct fault f = {0};
	struct stat st;
	struct sink s;

	assert_int_equal(sink_open(&s, "/dev/null", true, &f), 0);
	fputs("data", s.f);
	assert_int_equal(sink_commit(&s, &f), 0);
	assert_int_equal(stat("/dev/null", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
}

/* stdout is replaced for the time of the test: its word is the pipe's */
static void a_closed_pipe_is_told(void **state)
{
	int saved = dup(STDOUT_FILENO), fds[2], flushed, err;
	struct fault f = {0};
	struct sink s;

	fflush(stdout);
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	dup2(fds[1], STDOUT_FILENO);
	close(fds[1]);
	err = sink_open(&s, NULL, false, &f);
	fputs("data", s.f);
	flushed = sink_flush(&s, &f);
	sink_abort(&s);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	assert_int_equal(err, 0);
	assert_int_equal(flushed, -EPIPE);
	assert_int_equal(f.err, EPIPE);
}

static void abort_does_not_send_the_rest_to_stdout(void **state)
{
	int saved = dup(STDOUT_FILENO), fds[2], err;
	struct fault f = {0};
	struct sink s;
	char byte;

	fflush(stdout);
	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDOUT_FILENO);
	close(fds[1]);
	err = sink_open(&s, NULL, false, &f);
	fputs("half a report", s.f);
	sink_abort(&s);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	assert_int_equal(err, 0);
	assert_int_equal(read(fds[0], &byte, 1), 0);
	close(fds[0]);
}

static void what_is_no_place_for_a_file(void **state)
{
	struct place *p = *state;
	struct fault f = {0};
	struct sink s;

	assert_int_equal(sink_open(&s, "/nonexistent/x/y", false, &f), -ENOENT);
	assert_string_equal(f.text, "cannot write /nonexistent/x/y: No such file or directory");
	assert_int_equal(sink_open(&s, p->dir, true, &f), -EISDIR);
	assert_int_equal(sink_open(&s, "/tmp/", true, &f), -EISDIR);
	assert_int_equal(sink_open(&s, "", true, &f), -EISDIR);
	assert_true(sink_open(&s, "/proc/self/new\nfile", false, &f) < 0);
	assert_null(strchr(f.text, '\n'));
}

static void below_sudo_it_is_the_users(void **state)
{
	struct place *p = *state;
	struct fault f = {0};
	struct stat st;
	struct sink s;

	if (geteuid() != 0)
		skip();
	setenv("SUDO_UID", "1234", 1);
	setenv("SUDO_GID", "4321", 1);
	assert_int_equal(sink_open(&s, p->file, false, &f), 0);
	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");
	fputs("data", s.f);
	assert_int_equal(sink_commit(&s, &f), 0);
	assert_int_equal(stat(p->file, &st), 0);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 4321);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_growing_file_is_there_from_the_beginning(void **state)
{
	struct place *p = *state;
	struct fault f = {0};
	struct stat st;
	struct sink s;

	assert_int_equal(sink_open_growing(&s, p->file, false, &f), 0);
	assert_int_equal(stat(p->file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	fputs("one", s.f);
	assert_int_equal(sink_flush(&s, &f), 0);
	holds(p->file, "one");
	fputs(" two", s.f);
	assert_int_equal(sink_commit(&s, &f), 0);
	holds(p->file, "one two");
	assert_int_equal(entries(p->dir), 1);

	/* and stays when there is no more to come */
	assert_int_equal(sink_open_growing(&s, p->file, true, &f), 0);
	fputs("half", s.f);
	assert_int_equal(sink_flush(&s, &f), 0);
	fputs("lost", s.f);
	sink_abort(&s);
	holds(p->file, "half");
}

static void a_growing_file_that_got_nothing_goes(void **state)
{
	struct place *p = *state;
	struct fault f = {0};
	struct sink s;

	assert_int_equal(sink_open_growing(&s, p->file, false, &f), 0);
	sink_abort(&s);
	assert_int_equal(entries(p->dir), 0);

	/* but not what has its name by now */
	assert_int_equal(sink_open_growing(&s, p->file, false, &f), 0);
	unlink(p->file);
	put(p->file, "theirs");
	sink_abort(&s);
	holds(p->file, "theirs");
}

static void a_growing_file_replaces_only_by_force(void **state)
{
	struct place *p = *state;
	struct fault f = {0};
	struct stat st;
	struct sink s;

	put(p->other, "precious");
	assert_int_equal(symlink(p->other, p->file), 0);
	assert_int_equal(sink_open_growing(&s, p->file, false, &f), -EEXIST);
	assert_string_equal(f.hint, "-f replaces it");
	assert_int_equal(sink_open_growing(&s, p->file, true, &f), 0);
	fputs("new", s.f);
	assert_int_equal(sink_flush(&s, &f), 0);
	assert_int_equal(lstat(p->file, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	holds(p->file, "new");
	holds(p->other, "precious");
	assert_int_equal(entries(p->dir), 2);
	assert_int_equal(sink_commit(&s, &f), 0);
	assert_int_equal(entries(p->dir), 2);

	/* dangling */
	unlink(p->file);
	unlink(p->other);
	assert_int_equal(symlink(p->other, p->file), 0);
	assert_int_equal(sink_open_growing(&s, p->file, false, &f), -EEXIST);
	assert_int_equal(access(p->other, F_OK), -1);
}

static void a_growing_file_below_sudo_is_the_users(void **state)
{
	struct place *p = *state;
	struct fault f = {0};
	struct stat st;
	struct sink s;

	if (geteuid() != 0)
		skip();
	for (int force = 0; force <= 1; force++) {
		setenv("SUDO_UID", "1234", 1);
		setenv("SUDO_GID", "4321", 1);
		assert_int_equal(sink_open_growing(&s, p->file, force, &f), 0);
		unsetenv("SUDO_UID");
		unsetenv("SUDO_GID");
		assert_int_equal(stat(p->file, &st), 0);
		assert_int_equal(st.st_uid, 1234);
		assert_int_equal(st.st_gid, 4321);
		assert_int_equal(st.st_mode & 07777, 0600);
		fputs("data", s.f);
		assert_int_equal(sink_commit(&s, &f), 0);
	}
}

/* A limit of the size stands for a full disk: the kernel writes a part of the last write. */
static void a_growing_file_keeps_what_was_written(void **state)
{
	const struct rlimit small = {4, RLIM_INFINITY};
	struct place *p = *state;
	struct rlimit before;
	struct fault f = {0};
	struct sink s;
	int err;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(sink_open_growing(&s, p->file, false, &f), 0);
	setrlimit(RLIMIT_FSIZE, &small);
	fputs("some data", s.f);
	err = sink_flush(&s, &f);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(err, -EFBIG);
	fputs("and more", s.f); /* nothing follows what is missing */
	assert_int_equal(sink_flush(&s, &f), -EFBIG);
	assert_int_equal(sink_commit(&s, &f), -EFBIG);
	holds(p->file, "some");
}

static void a_relative_path_works(void **state)
{
	struct place *p = *state;
	struct fault f = {0};
	struct sink s;
	int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(chdir(p->dir), 0);
	assert_int_equal(sink_open(&s, "out.txt", false, &f), 0);
	assert_int_equal(fchdir(here), 0); /* the file goes where it was opened */
	close(here);
	fputs("data", s.f);
	assert_int_equal(sink_commit(&s, &f), 0);
	holds(p->file, "data");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(appears_whole_at_commit),
		TEST(abort_leaves_nothing),
		TEST(an_existing_file_is_refused_without_force),
		TEST(a_file_that_appears_meanwhile_is_kept),
		TEST(a_link_is_never_written_through),
		TEST(a_link_to_a_device_is_not_replaced),
		TEST(a_full_disk_is_a_fault),
		TEST(a_device_stays_a_device),
		TEST(a_closed_pipe_is_told),
		TEST(abort_does_not_send_the_rest_to_stdout),
		TEST(what_is_no_place_for_a_file),
		TEST(below_sudo_it_is_the_users),
		TEST(a_growing_file_is_there_from_the_beginning),
		TEST(a_growing_file_that_got_nothing_goes),
		TEST(a_growing_file_replaces_only_by_force),
		TEST(a_growing_file_below_sudo_is_the_users),
		TEST(a_growing_file_keeps_what_was_written),
		TEST(a_relative_path_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
