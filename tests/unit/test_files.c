/* SPDX-License-Identifier: MIT */
/*
 * Files as the target has them: what it maps, and paths below its root. Ground truth: what the test
 * put into these files.
 */
#include "child.h"

#include "base/fault.h"
#include "target/target.h"

static void set_without(const char *names)
{
	if (names)
		setenv("PYMEMTRACE_WITHOUT", names, 1);
	else
		unsetenv("PYMEMTRACE_WITHOUT");
}

static struct target *open_target(pid_t pid)
{
	struct fault f = {0};
	struct target *t;

	if (target_open(&t, pid, &f))
		fail_msg("%s", f.text);
	return t;
}

static void put_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "we");

	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

static void assert_reads(int fd, const char *text)
{
	char buf[64] = "";

	if (fd < 0)
		fail_msg("not opened: %s", strerror(-fd));
	assert_true(read(fd, buf, sizeof(buf) - 1) >= 0);
	assert_string_equal(buf, text);
	close(fd);
}

static char mapped_path[128];

static void run_mapper(struct child *c, void *arg)
{
	int fd = open(mapped_path, O_RDONLY);
	void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

	if (fd < 0 || p == MAP_FAILED)
		_exit(1);
	child_say(c, (uint64_t)(uintptr_t)p);
	child_wait(c);
}

/* Names a parser may stumble over; replaced on disk, and then deleted. */
static void mapped_file_is_the_very_one(void **state)
{
	static const char *const names[] = {"plain", "two  blanks ", "a\nline", "x (deleted)"};
	char dir[] = "/tmp/pmt-files-XXXXXX", other[200];
	struct fault f = {0};
	int fd;

	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct vma *v;
		struct target *t;
		struct maps m;
		struct child c;
		uint64_t addr;

		snprintf(mapped_path, sizeof(mapped_path), "%s/%s", dir, names[i]);
		snprintf(other, sizeof(other), "%s/other", dir);
		put_file(mapped_path, "old");
		child_start(&c, run_mapper, NULL);
		addr = child_hear(&c);
		t = open_target(c.pid);
		assert_int_equal(target_maps(t, &m, &f), 0);
		v = maps_find(&m, addr);
		assert_non_null(v);
		if (i < 3)
			assert_string_equal(v->path, mapped_path);
		assert_reads(target_open_mapped(t, v, &f), "old");
		set_without("map_files");
		assert_reads(target_open_mapped(t, v, &f), "old");

		/* another file of that name */
		put_file(other, "new");
		assert_int_equal(rename(other, mapped_path), 0);
		assert_int_equal(target_open_mapped(t, v, &f), -EPERM);
		assert_true(strlen(f.hint) > 0);
		assert_int_equal(target_open_mapped(t, v, NULL), -EPERM);
		set_without(NULL);
		fd = target_open_mapped(t, v, &f);
		if (fd != -EPERM) /* needs CAP_CHECKPOINT_RESTORE */
			assert_reads(fd, "old");
		maps_done(&m);
		assert_int_equal(target_maps(t, &m, &f), 0);
		v = maps_find(&m, addr);
		assert_true(v->deleted);
		fd = target_open_mapped(t, v, &f);
		if (fd != -EPERM)
			assert_reads(fd, "old");
		maps_done(&m);
		target_close(t);
		child_end(&c);
		unlink(mapped_path);
	}
	rmdir(dir);
}

static void what_is_no_file_is_not_opened(void **state)
{
	struct fault f = {0};
	struct target *t = open_target(getpid());
	struct vma v = {.start = 0x1000, .end = 0x2000};
	struct vma device = {
		.start = 0x1000, .end = 0x2000, .inode = 1, .path = (char *)"/dev/tty"};

	assert_int_equal(target_open_mapped(t, &v, &f), -EINVAL);
	assert_true(target_open_mapped(t, &device, &f) < 0);
	target_close(t);
}

static char root_dir[64];

static void run_in_root(struct child *c, void *arg)
{
	if (chroot(root_dir) && (unshare(CLONE_NEWUSER) || chroot(root_dir)))
		child_say(c, 1);
	if (chdir("/"))
		child_say(c, 1);
	child_say(c, 0);
	strcpy(mapped_path, "/a/file");
	run_mapper(c, arg);
}

static void paths_stay_inside_the_root(void **state)
{
	static const struct {
		const char *path;
		int err;
		const char *text;
	} cases[] = {
		{"/a/file", 0, "inside"},
		{"a/file", 0, "inside"},
		{"//a/./b/..//file", 0, "inside"},
		{"/../../../../a/file", 0, "inside"},
		{"/absolute", 0, "inside"},
		{"/a/up", 0, "inside"},
		{"/a/b/dir/file", 0, "inside"},
		{"/chain", 0, "inside"},
		{"/../../../../../../../../../../../../../../etc/passwd", -ENOENT, NULL},
		{"/escape", -ENOENT, NULL},
		{"/loop", -ELOOP, NULL},
		{"/fifo", -EINVAL, NULL},
		{"/a", -EINVAL, NULL},
		{"/", -EINVAL, NULL},
		{"/nothing", -ENOENT, NULL},
	};
	struct fault f = {0};
	struct target *t;
	struct child c;
	struct maps m;
	uint64_t addr;

	strcpy(root_dir, "/tmp/pmt-root-XXXXXX");
	assert_non_null(mkdtemp(root_dir));
	assert_int_equal(
		run_command("cd %s && mkdir -p a/b && printf inside >a/file && "
			    "ln -s /a/file absolute && "
			    "ln -s ../../../../../a/file a/up && ln -s /a a/b/dir && "
			    "ln -s absolute chain && ln -s /../../../../etc/passwd escape && "
			    "ln -s loop loop && mkfifo fifo",
			    root_dir),
		0);
	child_start(&c, run_in_root, NULL);
	if (child_hear(&c)) {
		child_end(&c);
		run_command("rm -rf %s", root_dir);
		skip();
	}
	addr = child_hear(&c);
	t = open_target(c.pid);
	for (int without = 0; without < 2; without++) {
		set_without(without ? "openat2" : NULL);
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			int fd = target_open_path(t, cases[i].path);

			if (cases[i].err) {
				if (fd != cases[i].err)
					fail_msg("%s: %d", cases[i].path, fd);
				continue;
			}
			if (fd < 0)
				fail_msg("%s: %s", cases[i].path, strerror(-fd));
			assert_reads(fd, cases[i].text);
		}
	}
	/* maps of a process in a chroot show paths as this process sees them */
	set_without("map_files");
	assert_int_equal(target_maps(t, &m, &f), 0);
	assert_reads(target_open_mapped(t, maps_find(&m, addr), &f), "inside");
	maps_done(&m);
	set_without(NULL);
	target_close(t);
	child_end(&c);
	run_command("rm -rf %s", root_dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mapped_file_is_the_very_one),
		cmocka_unit_test(what_is_no_file_is_not_opened),
		cmocka_unit_test(paths_stay_inside_the_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
