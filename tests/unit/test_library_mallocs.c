/* SPDX-License-Identifier: MIT */
/* Allocators inside of libraries: files of this test's own, which it maps as a linker would. */
#include "fixture.h"

#include "target/library_mallocs.h"
#include "target/maps.h"
#include "target/target.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE  4096ul
#define BYTES (600ul << 10)

static char dir[] = "/tmp/pmt-library-mallocs-XXXXXX";
static char found[160];

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	return rmdir(dir);
}

/* A file that is zero but for two texts; NULL: none. Opened. */
static int library(const char *name, const char *text, size_t at, const char *other)
{
	char path[400];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0); /* /proc knows it all the same */
	assert_int_equal(ftruncate(fd, BYTES), 0);
	if (text)
		assert_int_equal(pwrite(fd, text, strlen(text), (off_t)at), strlen(text));
	if (other)
		assert_int_equal(pwrite(fd, other, strlen(other), 5000), strlen(other));
	return fd;
}

static void map(int fd, int prot, size_t from, size_t n)
{
	assert_true(mmap(NULL, n, prot, MAP_PRIVATE, fd, (off_t)from) != MAP_FAILED);
}

/* This program has all the texts itself, and is the first by address. */
#define OWN "test_library_mallocs (jemalloc, mimalloc, tcmalloc)"

/* What is said of this process's other files, by address; in `found` with its own. */
static const char *look(size_t size)
{
	struct target *self;
	struct maps maps;

	assert_int_equal(target_open(&self, getpid(), NULL), 0);
	assert_int_equal(target_maps(self, &maps, NULL), 0);
	assert_true(size <= sizeof(found));
	memset(found, '#', sizeof(found));
	target_library_mallocs(self, &maps, found, size);
	maps_done(&maps);
	target_close(self);
	if (strncmp(found, OWN, strlen(OWN)) != 0)
		return found;
	return found + strlen(OWN) + 2 * !strncmp(found + strlen(OWN), ", ", 2);
}

static void unmap(int fd)
{
	struct stat st;
	struct target *self;
	struct maps maps;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(target_open(&self, getpid(), NULL), 0);
	assert_int_equal(target_maps(self, &maps, NULL), 0);
	for (size_t i = 0; i < maps.nr; i++)
		if (maps.v[i].inode == st.st_ino && maps.v[i].dev == st.st_dev)
			munmap((void *)(uintptr_t)maps.v[i].start, maps.v[i].end - maps.v[i].start);
	maps_done(&maps);
	target_close(self);
	close(fd);
}

static void wherever_the_text_lies(void **state)
{
	static const size_t places[] = {
		0, PAGE - 4, (256 << 10) - 1, (256 << 10) - 11, (512 << 10) - 40, BYTES - 12};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		int fd = library("libthing.so.1", "<jemalloc>: ", places[i], NULL);

		/* one segment, as of a linker without -z separate-code */
		map(fd, PROT_READ | PROT_EXEC, 0, BYTES);
		assert_string_equal(look(160), "libthing.so.1 (jemalloc)");
		unmap(fd);
		assert_string_equal(look(160), "");
	}
}

static void of_each_library_all(void **state)
{
	int a = library("libone.so", "mimalloc: error: ", 300000, "<jemalloc>: ");
	int b = library("two.cpython-313.so", "tcmalloc: large alloc ", 100, NULL);
	const char *both;

	/* three segments: the texts are in the third */
	map(a, PROT_READ | PROT_EXEC, PAGE, 4 * PAGE);
	map(a, PROT_READ, 0, BYTES);
	assert_string_equal(look(160), "libone.so (jemalloc, mimalloc)");
	map(b, PROT_READ | PROT_EXEC, 0, BYTES);
	both = look(160); /* where the kernel puts them is its own choice */
	assert_true(
		!strcmp(both, "libone.so (jemalloc, mimalloc), two.cpython-313.so (tcmalloc)") ||
		!strcmp(both, "two.cpython-313.so (tcmalloc), libone.so (jemalloc, mimalloc)"));
	/* whole ones, if there is no room for all */
	both = look(40);
	assert_true(!strcmp(both, "libone.so (jemalloc, mimalloc)") ||
		    !strcmp(both, "two.cpython-313.so (tcmalloc)"));
	assert_string_equal(look(10), "");
	unmap(a);
	unmap(b);
}

static void what_is_no_library(void **state)
{
	int data = library("data.bin", "<jemalloc>: ", 0, NULL);
	int python = library("libpython3.13.so.1.0", "mimalloc: error: ", 0, NULL);
	int written = library("libwritten.so", "<jemalloc>: ", PAGE, NULL);
	int none = library("libplain.so", "<jemalloc>:", 0, "mimalloc error");
	char name[256] = "";
	int longest;

	map(data, PROT_READ, 0, BYTES);
	map(python, PROT_READ | PROT_EXEC, 0, BYTES);
	map(written, PROT_READ | PROT_EXEC, 0, PAGE);
	map(written, PROT_READ | PROT_WRITE, PAGE, PAGE);
	map(none, PROT_READ | PROT_EXEC, 0, BYTES);
	assert_string_equal(look(160), "");
	/* a name that has no room */
	memset(name, 'n', 255);
	longest = library(name, "<jemalloc>: ", 0, NULL);
	map(longest, PROT_READ | PROT_EXEC, 0, BYTES);
	assert_string_equal(look(160), "");
	unmap(longest);
	unmap(data);
	unmap(python);
	unmap(written);
	unmap(none);
}

static void more_is_mapped_than_the_file_has(void **state)
{
	int fd = library("libshort.so", "<jemalloc>: ", BYTES - 12, NULL);

	map(fd, PROT_READ | PROT_EXEC, 0, 1ul << 30);
	assert_int_equal(ftruncate(fd, (off_t)BYTES), 0);
	assert_string_equal(look(160), "libshort.so (jemalloc)");
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_string_equal(look(160), "");
	unmap(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wherever_the_text_lies),
		cmocka_unit_test(of_each_library_all),
		cmocka_unit_test(what_is_no_library),
		cmocka_unit_test(more_is_mapped_than_the_file_has),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
