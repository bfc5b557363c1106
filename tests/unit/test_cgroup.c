/* SPDX-License-Identifier: MIT */
/*
 * Memory cgroups: the texts that say where one is, and the figures of trees of files as the kernel
 * shows them, made below a temporary folder.
 */
#include "fixture.h"

#include "model/cgroup.h"
#include "target/cgroup_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static void places_are_found(void **state)
{
	static const struct {
		const char *text;
		int version;
		const char *path;
	} cases[] = {
		{"0::/user.slice/a b:c.scope\n", 2, "/user.slice/a b:c.scope"},
		{"0::/", 2, "/"},
		{"9:name=systemd:/x\n4:memory:/docker/3f\n1:cpu:/y\n0::/z\n", 1, "/docker/3f"},
		/* whichever is first */
		{"0::/z\n4:cpu,memory:/docker/3f\n", 1, "/docker/3f"},
		{"7:name=memory:/no\n6:memoryx,xmemory:/no\n0::/yes\n", 2, "/yes"},
		{"0::/../../kubepods/x\n", 2, "/../../kubepods/x"},
		{"0::/gone (deleted)\n", 2, "/gone (deleted)"},
		{"0:x:/no\n1::/no\n00::/no\n", 0, NULL},
		{"4:memory:relative\n", 0, NULL},
		{"4:memory\n:\n::\n\nmemory:/x\n", 0, NULL},
		{"", 0, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cgroup_place p;

		assert_int_equal(cgroup_parse_place(cases[i].text, &p), 0);
		assert_int_equal(p.version, cases[i].version);
		if (cases[i].path)
			assert_string_equal(p.path, cases[i].path);
		else
			assert_null(p.path);
		free(p.path);
	}
}

static const char mountinfo[] =
	"22 27 0:21 / /proc rw,relatime - proc proc rw\n"
	"35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
	"36 31 0:33 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu\n"
	"37 31 0:34 /docker/3f /mnt/a\\040b\\134c ro shared:1 master:2 - cgroup x rw,cpu,memory\n"
	"41 31 0:38 /../.. /host/cgroup rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n"
	"42 31 8:1 / /sys/fs/cgroup2 rw - ext4 cgroup2 rw,memory\n"
	"43 31 0:39 / /m rw memory - cgroup2\n"
	"45 31 0:40 relative /m rw - cgroup2 none rw\n"
	"46 31 0:41 / relative rw - cgroup2 none rw\n"
	"47 31\n"
	"\n"
	"48 31 259:1048575 / /last - cgroup2 none rw"; /* not even options of the mount */

static void assert_mount(const char **at, int version, const char *root, const char *point,
			 uint64_t id)
{
	struct cgroup_mount m;

	assert_int_equal(cgroup_next_mount(at, version, &m), 1);
	assert_string_equal(m.root, root);
	assert_string_equal(m.point, point);
	assert_int_equal(m.id, id);
	cgroup_mount_done(&m);
}

static void mounts_are_found(void **state)
{
	const char *at = mountinfo;
	struct cgroup_mount m;

	assert_mount(&at, 1, "/", "/sys/fs/cgroup/memory", 35);
	assert_mount(&at, 1, "/docker/3f", "/mnt/a b\\c", 37);
	assert_int_equal(cgroup_next_mount(&at, 1, &m), 0);
	at = mountinfo;
	assert_mount(&at, 2, "/../..", "/host/cgroup", 41);
	assert_mount(&at, 2, "/", "/m", 43);
	assert_mount(&at, 2, "/", "/last", 48);
	assert_int_equal(cgroup_next_mount(&at, 2, &m), 0);
}

/* Wherever it is cut, nothing is read behind it. */
static void cut_mounts_do_no_harm(void **state)
{
	for (size_t len = 0; len <= strlen(mountinfo); len++) {
		char *text = strndup(mountinfo, len);

		for (int version = 1; version <= 2; version++) {
			const char *at = text;
			struct cgroup_mount m;

			while (cgroup_next_mount(&at, version, &m) == 1)
				cgroup_mount_done(&m);
		}
		free(text);
	}
}

static void paths_fit_together(void **state)
{
	static const char *const cases[][3] = {
		{"/a/x/y", "/a", "/x/y"},
		{"/a", "/a", ""},
		{"/a/x", "/", "/a/x"},
		{"/", "/", ""},
		{"/ab", "/a", NULL},
		{"/", "/a", NULL},
		{"/b", "/a", NULL},
		/* of somebody outside our namespace, and the hierarchy from its root on */
		{"/../x/y", "/..", "/x/y"},
		{"/../x", "/", "/../x"},
		{"/../../x", "/..", "/../x"},
		{"/x", "/..", NULL},
		{"/../x", "/../..", NULL},
		{"/..x", "/..", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *below = cgroup_below(cases[i][0], cases[i][1]);

		if (!cases[i][2] != !below || (below && strcmp(below, cases[i][2])))
			fail_msg("%s in %s: %s", cases[i][0], cases[i][1], below ? below : "NULL");
		/* a part of the path itself */
		if (below)
			assert_true(below >= cases[i][0] &&
				    below <= cases[i][0] + strlen(cases[i][0]));
	}
}

/* --- trees --- */

static char top[64];

static int setup(void **state)
{
	strcpy(top, "/tmp/pmt-cgroup-XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	return remove(path);
}

static int teardown(void **state)
{
	return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* folder/name below top, whose folders are made */
static void write_file(const char *folder, const char *name, const char *text)
{
	char path[1024];
	FILE *out;

	snprintf(path, sizeof(path), "%s%s/", top, folder);
	for (char *p = path + strlen(top) + 1; (p = strchr(p, '/')); p++) {
		*p = 0;
		mkdir(path, 0755);
		*p = '/';
	}
	snprintf(path, sizeof(path), "%s%s/%s", top, folder, name);
	out = fopen(path, "we");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static void v2(const char *folder, const char *current, const char *limit, const char *high)
{
	write_file(folder, "memory.current", current);
	write_file(folder, "memory.max", limit);
	write_file(folder, "memory.high", high);
	write_file(folder, "memory.swap.max", "max\n");
	write_file(folder, "memory.swap.current", "0\n");
	write_file(folder, "cgroup.procs", "");
}

static int read_how(const char *path, const char *root, int version, bool count,
		    struct memory_cgroup *c)
{
	int fd = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC), err;
	const char *below = cgroup_below(path, root);

	assert_non_null(below);
	err = cgroup_read(fd, path, below, version, count, c);
	close(fd);
	return err;
}

static int read_below(const char *path, const char *root, int version, struct memory_cgroup *c)
{
	return read_how(path, root, version, true, c);
}

static void figures_of_version_2(void **state)
{
	struct memory_cgroup c;

	/* the hierarchy's own root has neither usage nor limits */
	write_file("", "memory.stat", "anon 99\nfile 99\n");
	write_file("", "cgroup.procs", "1\n2\n");
	v2("/a", "3000000\n", "5000000\n", "max\n");
	v2("/a/b", "1000000\n", "4000000\n", "3500000\n");
	write_file("/a/b", "memory.peak", "2500000\n");
	write_file("/a/b", "memory.swap.current", "8192\n");
	write_file("/a/b", "memory.swap.max", "1048576\n");
	write_file("/a/b", "memory.stat",
		   "anon 600000\nfile 300000\nkernel 50000\nfile_mapped 7\nshmem 20000\n"
		   "inactive_anon 1\ninactive_file 123456\n");
	write_file("/a/b", "memory.events",
		   "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\n");
	write_file("/a/b", "memory.pressure",
		   "some avg10=0.00 avg60=1.50 avg300=0.00 total=129220768\n"
		   "full avg10=0.00 avg60=0.00 avg300=0.00 total=107315745\n");
	write_file("/a/b", "cgroup.procs", "10\n11\n");
	write_file("/a/b/c", "cgroup.procs", "12\n0\n");
	write_file("/a/b/c/d", "cgroup.procs", "13\n");
	write_file("/a/e", "cgroup.procs", "14\n");
	assert_int_equal(read_below("/a/b", "/", 2, &c), 0);
	assert_int_equal(c.version, 2);
	assert_string_equal(c.path, "/a/b");
	assert_int_equal(c.usage, 1000000);
	assert_int_equal(c.limit, 4000000);
	assert_null(c.limit_path);
	assert_int_equal(c.high, 3500000);
	assert_int_equal(c.peak, 2500000);
	/* /a has 2,000,000 left, /a/b 2,500,000 up to memory.high */
	assert_int_equal(c.room, 2000000);
	assert_string_equal(c.room_path, "/a");
	assert_false(c.room_high);
	assert_int_equal(c.swap_usage, 8192);
	assert_int_equal(c.swap_limit, 1048576);
	assert_int_equal(c.anon, 600000);
	assert_int_equal(c.file, 300000);
	assert_int_equal(c.kernel, 50000);
	assert_int_equal(c.shmem, 20000);
	assert_int_equal(c.file_inactive, 123456);
	assert_int_equal(c.events_high, 2);
	assert_int_equal(c.events_max, 3);
	assert_int_equal(c.events_oom, 4);
	assert_int_equal(c.events_oom_kill, 5);
	assert_int_equal(c.pressure_some_us, 129220768);
	assert_int_equal(c.pressure_full_us, 107315745);
	assert_int_equal(c.processes, 5);
	memory_cgroup_done(&c);
	assert_int_equal(read_how("/a/b", "/", 2, false, &c), 0);
	assert_int_equal(c.usage, 1000000);
	assert_int_equal(c.processes, 0);
	memory_cgroup_done(&c);
}

static void the_controller_may_be_above(void **state)
{
	struct memory_cgroup c;

	v2("/a", "3000000\n", "max\n", "max\n");
	write_file("/a/b/c", "cgroup.procs", "10\n");
	assert_int_equal(read_below("/a/b/c", "/", 2, &c), 0);
	assert_int_equal(c.version, 2);
	assert_string_equal(c.path, "/a");
	assert_true(c.limit == CGROUP_NO_LIMIT && c.high == CGROUP_NO_LIMIT);
	assert_true(c.room == CGROUP_NO_LIMIT && c.swap_limit == CGROUP_NO_LIMIT);
	assert_null(c.limit_path);
	assert_null(c.room_path);
	/* files that are not there */
	assert_true(c.peak == CGROUP_UNKNOWN && c.anon == CGROUP_UNKNOWN &&
		    c.file_inactive == CGROUP_UNKNOWN && c.events_oom_kill == CGROUP_UNKNOWN &&
		    c.pressure_some_us == CGROUP_UNKNOWN);
	assert_int_equal(c.processes, 1);
	memory_cgroup_done(&c);
	/* the root accounts none */
	assert_int_equal(read_below("/", "/", 2, &c), 0);
	assert_int_equal(c.version, 0);
}

static void limits_of_others(void **state)
{
	struct memory_cgroup c;

	v2("", "900\n", "1000\n", "950\n"); /* the root of a namespace */
	v2("/a", "500\n", "1000\n", "max\n");
	v2("/a/b", "400\n", "max\n", "max\n");
	/* seen as /docker/3f and what is below it */
	assert_int_equal(read_below("/docker/3f/a/b", "/docker/3f", 2, &c), 0);
	assert_string_equal(c.path, "/docker/3f/a/b");
	assert_int_equal(c.limit, 1000);
	assert_string_equal(c.limit_path, "/docker/3f/a"); /* the nearer of two alike */
	assert_int_equal(c.high, 950);
	assert_int_equal(c.room, 50);
	assert_string_equal(c.room_path, "/docker/3f");
	assert_true(c.room_high);
	memory_cgroup_done(&c);
	/* more is used than it may: the limit has been set since */
	v2("/a/b", "400\n", "100\n", "max\n");
	assert_int_equal(read_below("/a/b", "/", 2, &c), 0);
	assert_int_equal(c.limit, 100);
	assert_null(c.limit_path);
	assert_int_equal(c.room, 0);
	assert_null(c.room_path);
	assert_false(c.room_high);
	memory_cgroup_done(&c);
	assert_int_equal(read_below("/", "/", 2, &c), 0);
	assert_string_equal(c.path, "/");
	assert_int_equal(c.room, 50);
	assert_null(c.room_path);
	memory_cgroup_done(&c);
}

static void figures_of_version_1(void **state)
{
	static const char no_limit[] = "9223372036854771712\n";
	struct memory_cgroup c;

	write_file("", "memory.usage_in_bytes", "8000000\n");
	write_file("", "memory.limit_in_bytes", no_limit);
	write_file("/a", "memory.usage_in_bytes", "7000000\n");
	write_file("/a", "memory.limit_in_bytes", "7500000\n");
	write_file("/a/b", "memory.usage_in_bytes", "1000000\n");
	write_file("/a/b", "memory.limit_in_bytes", no_limit);
	write_file("/a/b", "memory.memsw.limit_in_bytes", no_limit);
	write_file("/a/b", "memory.max_usage_in_bytes", "2000000\n");
	write_file("/a/b", "memory.soft_limit_in_bytes", "500000\n");
	write_file("/a/b", "memory.kmem.usage_in_bytes", "40000\n");
	write_file("/a/b", "memory.failcnt", "17\n");
	write_file("/a/b", "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
	write_file("/a/b", "memory.stat",
		   "cache 1\nrss 2\nshmem 3\nswap 4\ninactive_file 5\n"
		   "hierarchical_memory_limit 7500000\nhierarchical_memsw_limit 7700000\n"
		   "total_cache 300000\ntotal_rss 600000\ntotal_rss_huge 1\ntotal_shmem 20000\n"
		   "total_swap 8192\ntotal_inactive_file 123456\n");
	write_file("/a/b", "cgroup.procs", "10\n");
	assert_int_equal(read_below("/a/b", "/", 1, &c), 0);
	assert_int_equal(c.version, 1);
	assert_string_equal(c.path, "/a/b");
	assert_int_equal(c.usage, 1000000);
	assert_int_equal(c.limit, 7500000);
	assert_string_equal(c.limit_path, "/a");
	assert_int_equal(c.room, 500000);
	assert_string_equal(c.room_path, "/a");
	assert_int_equal(c.high, 500000);
	assert_int_equal(c.peak, 2000000);
	assert_int_equal(c.swap_usage, 8192);
	assert_int_equal(c.swap_limit, 7700000);
	assert_int_equal(c.anon, 600000);
	assert_int_equal(c.file, 300000);
	assert_int_equal(c.shmem, 20000);
	assert_int_equal(c.kernel, 40000);
	assert_int_equal(c.file_inactive, 123456);
	assert_int_equal(c.events_max, 17);
	assert_int_equal(c.events_oom_kill, 3);
	assert_true(c.events_high == CGROUP_UNKNOWN && c.events_oom == CGROUP_UNKNOWN &&
		    c.pressure_some_us == CGROUP_UNKNOWN);
	assert_int_equal(c.processes, 1);
	memory_cgroup_done(&c);
	/* a limit above what is mounted here */
	write_file("/a/b", "memory.stat", "hierarchical_memory_limit 1200000\n");
	assert_int_equal(read_below("/a/b", "/", 1, &c), 0);
	assert_int_equal(c.limit, 1200000);
	assert_string_equal(c.limit_path, "/..");
	memory_cgroup_done(&c);
}

static void nonsense_is_not_known(void **state)
{
	static const char *const texts[] = {"",	      "\n",    "-1\n", "x\n", " 7\n",
					    "anon\n", "anon ", "ano",  "max", "\n\n"};
	struct memory_cgroup c;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		v2("/a", "18446744073709551615000\n", texts[i], texts[i]);
		write_file("/a", "memory.peak", texts[i]);
		write_file("/a", "memory.stat", texts[i]);
		write_file("/a", "memory.events", texts[i]);
		write_file("/a", "memory.pressure", texts[i]);
		assert_int_equal(read_below("/a", "/", 2, &c), 0);
		assert_int_equal(c.version, 2);
		assert_true(c.limit >= CGROUP_NO_LIMIT && c.high >= CGROUP_NO_LIMIT &&
			    c.peak >= CGROUP_NO_LIMIT);
		assert_true(c.anon == CGROUP_UNKNOWN && c.events_max == CGROUP_UNKNOWN &&
			    c.pressure_full_us == CGROUP_UNKNOWN);
		assert_true(c.room >= CGROUP_NO_LIMIT);
		memory_cgroup_done(&c);
	}
}

/* What is not there, and what would lead elsewhere: in none that we see. */
static void no_way_leads_out(void **state)
{
	static const char *const paths[] = {"/a/../a", "/..",  "/../a", "/.",	       "/a/.",
					    "/link",   "/no",  "/a/no", "/a/file",     "/link/a",
					    "/a/",     "/a//", "//",	"/a (deleted)"};
	char link[128], name[400], deep[4096] = "";
	struct memory_cgroup c;

	v2("/a", "1000\n", "max\n", "max\n");
	write_file("/a", "file", "");
	snprintf(link, sizeof(link), "%s/link", top);
	assert_int_equal(symlink(".", link), 0);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		memset(&c, 7, sizeof(c));
		assert_int_equal(read_below(paths[i], "/", 2, &c), 0);
		if (c.version)
			fail_msg("%s leads to %s", paths[i], c.path);
	}
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	name[0] = '/';
	assert_int_equal(read_below(name, "/", 2, &c), 0);
	assert_int_equal(c.version, 0);
	for (size_t i = 0; i < 300; i++)
		strcat(deep, "/d");
	write_file(deep, "cgroup.procs", "1\n");
	assert_int_equal(read_below(deep, "/", 2, &c), 0);
	assert_int_equal(c.version, 0);
	/* too deep to be counted */
	v2("/d", "1000\n", "max\n", "max\n");
	assert_int_equal(read_below("/d", "/", 2, &c), 0);
	assert_int_equal(c.version, 2);
	assert_int_equal(c.processes, 0);
	memory_cgroup_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_are_found),
		cmocka_unit_test(mounts_are_found),
		cmocka_unit_test(cut_mounts_do_no_harm),
		cmocka_unit_test(paths_fit_together),
		cmocka_unit_test_setup_teardown(figures_of_version_2, setup, teardown),
		cmocka_unit_test_setup_teardown(the_controller_may_be_above, setup, teardown),
		cmocka_unit_test_setup_teardown(limits_of_others, setup, teardown),
		cmocka_unit_test_setup_teardown(figures_of_version_1, setup, teardown),
		cmocka_unit_test_setup_teardown(nonsense_is_not_known, setup, teardown),
		cmocka_unit_test_setup_teardown(no_way_leads_out, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
