/* SPDX-License-Identifier: MIT */
/*
 * What mappings are told to be: written maps with pages of made-up kinds, and one live process, this
 * test's own child, whose .bss and whose neighbour are known.
 */
#include "child.h"

#include "base/fault.h"
#include "model/account.h"
#include "target/mappings.h"
#include "target/mem.h"
#include "target/resident.h"
#include "target/target.h"

#include <pthread.h>
#include <sys/sysmacros.h>

#define PAGE 4096ul

struct sheet {
	struct account *a;
	struct account_row *rows;
	size_t nr;
	uint64_t total;
};

static uint64_t bytes(const struct sheet *s, enum memory_kind kind, const char *name)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->nr; i++)
		if (s->rows[i].kind == kind && (!name || !strcmp(s->rows[i].name, name)))
			sum += s->rows[i].bytes;
	return sum;
}

static void sheet_close(struct sheet *s)
{
	uint64_t sum = 0;

	assert_int_equal(account_close(s->a, &s->rows, &s->nr, &s->total), 0);
	for (size_t i = 0; i < s->nr; i++)
		sum += s->rows[i].bytes;
	assert_int_equal(sum, s->total);
}

static void sheet_done(struct sheet *s)
{
	free(s->rows);
	account_free(s->a);
}

/* The device of memfd and its like, as maps shows it. */
static dev_t shm_device(void)
{
	int fd = memfd_create("x", MFD_CLOEXEC);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	return st.st_dev;
}

/* Written maps; "SHM" in them is the device of shared memory. */
static struct sheet classify(const char *text, const struct run *pages, size_t nr,
			     const struct mappings_hints *hints)
{
	struct sheet s = {.a = account_new()};
	char *written = strdup(text), device[16], *at;
	struct target *self;
	struct maps maps;

	snprintf(device, sizeof(device), "%02x:%02x", major(shm_device()), minor(shm_device()));
	while ((at = strstr(written, "SHM  "))) {
		assert_int_equal(strlen(device), 5);
		memcpy(at, device, 5);
	}
	assert_int_equal(target_open(&self, getpid(), NULL), 0);
	assert_int_equal(maps_parse(&maps, written, strlen(written)), 0);
	for (size_t i = 0; i < nr; i++)
		assert_int_equal(account_pages(s.a, pages[i].start, pages[i].end, pages[i].flags),
				 0);
	assert_int_equal(mappings_account(self, &maps, NULL, hints, s.a), 0);
	sheet_close(&s);
	maps_done(&maps);
	target_close(self);
	free(written);
	return s;
}

#define RUN(from, to, is) ((struct run){.start = (from)*PAGE, .end = (to)*PAGE, .flags = (is)})

static void each_rule(void **state)
{
	const struct run runs[] = {
		RUN(0x10, 0x18, PAGE_IS_OF_FILE), /* text */
		RUN(0x18, 0x1a, PAGE_IS_OF_FILE), /* data, clean */
		RUN(0x1a, 0x1c, PAGE_IS_EXCLUSIVE),
		RUN(0x1c, 0x1d, PAGE_IS_OF_FILE),
		RUN(0x1d, 0x22, PAGE_IS_EXCLUSIVE), /* data, then .bss */
		RUN(0x30, 0x33, 0),		    /* heap */
		RUN(0x40, 0x45, PAGE_IS_OF_FILE),   /* a file */
		RUN(0x45, 0x46, 0),
		RUN(0x50, 0x57, PAGE_IS_OF_FILE), /* memfd */
		RUN(0x60, 0x61, PAGE_IS_OF_FILE), /* without a file */
		RUN(0x70, 0x72, PAGE_IS_OF_FILE), /* shmget */
		RUN(0x80, 0x83, 0),		  /* anonymous */
		RUN(0x90, 0x91, PAGE_IS_OF_FILE), /* shared file */
		RUN(0xa0, 0xa1, 0),		  /* named ones */
		RUN(0xb0, 0xb2, 0),
		RUN(0xb8, 0xb9, PAGE_IS_OF_FILE),
		RUN(0xbc, 0xbd, 0), /* of memory, privately mapped */
		RUN(0xbd, 0xbf, PAGE_IS_OF_FILE),
		RUN(0xc0, 0xc5, 0), /* stack */
		RUN(0xd0, 0xd2, PAGE_IS_OF_FILE),
		RUN(0xe0, 0xe1, 0),
	};
	const struct mappings_hints none = {0};
	struct sheet s = classify("10000-18000 r-xp 00000000 fe:00 77 /usr/lib/lib a.so\n"
				  "18000-20000 rw-p 00008000 fe:00 77 /usr/lib/lib a.so\n"
				  "20000-23000 rw-p 00000000 00:00 0\n"
				  "30000-34000 rw-p 00000000 00:00 0 [heap]\n"
				  "40000-48000 rw-p 00000000 fe:00 78 /srv/data.bin (deleted)\n"
				  "48000-49000 rw-p 00000000 00:00 0\n"
				  "50000-58000 rw-s 00000000 SHM   1 /memfd:pool (deleted)\n"
				  "60000-68000 rw-s 00000000 SHM   2 /dev/zero (deleted)\n"
				  "70000-78000 rw-s 00000000 SHM   3 /SYSV00000000 (deleted)\n"
				  "80000-88000 rw-p 00000000 00:00 0\n"
				  "90000-98000 rw-s 00000000 fe:00 79 /srv/shared.bin\n"
				  "a0000-a8000 rw-p 00000000 00:00 0 [anon: glibc: malloc arena]\n"
				  "b0000-b4000 rw-p 00000000 00:00 0 [anon:jemalloc_pg]\n"
				  "b8000-b9000 rw-s 00000000 SHM   4 [anon_shmem:one]\n"
				  "bc000-bf000 rw-p 00000000 SHM   5 /memfd:two (deleted)\n"
				  "c0000-c8000 rw-p 00000000 00:00 0 [stack]\n"
				  "d0000-d1000 r--p 00000000 00:00 0 [vvar]\n"
				  "d1000-d2000 r-xp 00000000 00:00 0 [vdso]\n"
				  "e0000-e1000 --xp 00000000 00:00 0 [uprobes]\n",
				  runs, sizeof(runs) / sizeof(runs[0]), &none);

	assert_int_equal(bytes(&s, MEMORY_FILE_TEXT, "lib a.so"), (8 + 2 + 1) * PAGE);
	assert_int_equal(bytes(&s, MEMORY_FILE_PRIVATE, "lib a.so"), (2 + 3) * PAGE);
	assert_int_equal(bytes(&s, MEMORY_BSS, "lib a.so"), 2 * PAGE);
	assert_int_equal(bytes(&s, MEMORY_ANONYMOUS, "heap"), 3 * PAGE);
	assert_int_equal(bytes(&s, MEMORY_FILE_OTHER, "data.bin"), 5 * PAGE);
	assert_int_equal(bytes(&s, MEMORY_FILE_PRIVATE, "data.bin"), PAGE);
	assert_int_equal(bytes(&s, MEMORY_SHARED, "memfd:pool"), 7 * PAGE);
	assert_int_equal(bytes(&s, MEMORY_SHARED, "without a file"), PAGE);
	assert_int_equal(bytes(&s, MEMORY_SHARED, "SYSV00000000"), 2 * PAGE);
	assert_int_equal(bytes(&s, MEMORY_ANONYMOUS, ""), 3 * PAGE);
	assert_int_equal(bytes(&s, MEMORY_FILE_OTHER, "shared.bin"), PAGE);
	assert_int_equal(bytes(&s, MEMORY_ANONYMOUS, "glibc: malloc arena"), PAGE);
	assert_int_equal(bytes(&s, MEMORY_OTHER_MALLOC, "jemalloc"), 2 * PAGE);
	assert_int_equal(bytes(&s, MEMORY_SHARED, "one"), PAGE);
	assert_int_equal(bytes(&s, MEMORY_SHARED, "memfd:two"), 2 * PAGE);
	assert_int_equal(bytes(&s, MEMORY_FILE_PRIVATE, "memfd:two"), PAGE);
	assert_int_equal(bytes(&s, MEMORY_STACK, "main thread"), 5 * PAGE);
	assert_int_equal(bytes(&s, MEMORY_VDSO, ""), 2 * PAGE);
	assert_int_equal(bytes(&s, MEMORY_ANONYMOUS, "uprobes"), PAGE);
	assert_int_equal(bytes(&s, MEMORY_BSS, NULL), 2 * PAGE);
	sheet_done(&s);
}

static void another_malloc_has_what_is_anonymous(void **state)
{
	const struct run runs[] = {
		RUN(0x30, 0x33, 0),
		RUN(0x40, 0x45, 0),
		RUN(0x80, 0x84, 0),
	};
	const struct mappings_hints hints = {.malloc = "tcmalloc"};
	struct sheet s = classify("30000-34000 rw-p 00000000 00:00 0 [heap]\n"
				  "40000-50000 rw-p 00000000 00:00 0\n"
				  "80000-8f000 rw-p 00000000 00:00 0\n",
				  runs, 3, &hints);

	assert_int_equal(bytes(&s, MEMORY_OTHER_MALLOC, "tcmalloc"), (3 + 5) * PAGE);
	assert_int_equal(bytes(&s, MEMORY_ANONYMOUS, ""), 4 * PAGE); /* too small for one */
	sheet_done(&s);
}

/* Its segments begin at multiples of 32 MiB; a mapping may hold something else before them. */
static void mimalloc_is_told_by_its_segments(void **state)
{
	const struct run runs[] = {
		RUN(0x1f00, 0x1f01, 0), RUN(0x2000, 0x2003, 0), RUN(0x3ff0, 0x4010, 0),
		RUN(0x7f00, 0x7f05, 0), RUN(0x8000, 0x8007, 0), RUN(0x10000, 0x10001, 0),
	};
	const struct mappings_hints hints = {.python_mimalloc = true};
	struct sheet s = classify("1f00000-4000000 rw-p 00000000 00:00 0\n"
				  "4000000-4010000 rw-p 00000000 00:00 0\n"
				  "7f00000-9000000 rw-p 00000000 00:00 0\n"
				  "10000000-11fff000 rw-p 00000000 00:00 0\n",
				  runs, sizeof(runs) / sizeof(runs[0]), &hints);

	assert_int_equal(bytes(&s, MEMORY_OTHER_MALLOC, "mimalloc"), (3 + 16) * PAGE);
	assert_int_equal(bytes(&s, MEMORY_ANONYMOUS, ""), (1 + 16 + 5 + 7 + 1) * PAGE);
	sheet_done(&s);
}

static void allocators_are_known_by_their_libraries(void **state)
{
	static const struct {
		const char *path, *name;
	} cases[] = {
		{"/usr/lib/libjemalloc.so.2", "jemalloc"},
		{"/opt/libtcmalloc_minimal.so.4.5.10", "tcmalloc"},
		{"/usr/lib/libmimalloc.so.2.0 (deleted)", "mimalloc"},
		{"/lib/ld-musl-x86_64.so.1", "musl"},
		{"/usr/lib/x86_64-linux-musl/libc.so", "musl"},
		{"/usr/lib/libc.so.6", NULL},
		{"/libjemalloc/liba.so", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[200];
		struct maps maps;
		const char *name;

		snprintf(text, sizeof(text), "10000-18000 r-xp 00000000 fe:00 77 %s\n",
			 cases[i].path);
		assert_int_equal(maps_parse(&maps, text, strlen(text)), 0);
		name = mappings_allocator(&maps);
		if (cases[i].name)
			assert_string_equal(name, cases[i].name);
		else
			assert_null(name);
		maps_done(&maps);
	}
}

/* Of threads that are blocked, by their stack pointers: 1 MiB, so that it is known among others. */
#define STACK_BYTES (1ul << 20)

static void *block(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void run_thread(struct child *c, void *arg)
{
	char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	pthread_attr_t attr;
	pthread_t thread;

	memset(stack, 1, STACK_BYTES);
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, stack, STACK_BYTES);
	if (pthread_create(&thread, &attr, block, NULL))
		_exit(8);
	child_say(c, 0);
	block(NULL);
}

#define GUARD_BYTES  (2 * PAGE)
#define MALLOC_BYTES (3ul << 20)

/*
 * As in a process with musl: one mapping has the stack, at its end what the thread is, and behind it what was
 * mapped before.
 */
static void run_thread_of_musl(struct child *c, void *arg)
{
	size_t bytes = GUARD_BYTES + STACK_BYTES + PAGE + MALLOC_BYTES;
	char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *stack = base + GUARD_BYTES;
	uint64_t *thread_of = (uint64_t *)(void *)(stack + STACK_BYTES + PAGE - 1200);
	pthread_attr_t attr;
	pthread_t thread;

	mprotect(base, GUARD_BYTES, PROT_NONE);
	memset(stack, 1, bytes - GUARD_BYTES);
	/* another self, which is none */
	thread_of[-60] = (uintptr_t)&thread_of[-60];
	thread_of[0] = (uintptr_t)thread_of;
	thread_of[9] = (uintptr_t)base;
	thread_of[10] = arg ? GUARD_BYTES + STACK_BYTES + PAGE : 12345;
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, stack, STACK_BYTES);
	if (pthread_create(&thread, &attr, block, NULL))
		_exit(8);
	child_say(c, 0);
	block(NULL);
}

/* Both of its threads, in pause(2): 34 on x86-64. */
static bool all_pause(pid_t pid)
{
	char path[300], line[32];
	struct dirent *d;
	int blocked = 0;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	while (tasks && (d = readdir(tasks))) {
		FILE *in;

		snprintf(path, sizeof(path), "/proc/%d/task/%s/syscall", pid, d->d_name);
		in = d->d_name[0] == '.' ? NULL : fopen(path, "re");
		if (in && fgets(line, sizeof(line), in) && !strncmp(line, "34 ", 3))
			blocked++;
		if (in)
			fclose(in);
	}
	if (tasks)
		closedir(tasks);
	return blocked == 2;
}

/* --- the live one ----------------------------------------------------------------------------- */

#define BSS_PAGES    64ul
#define BEHIND_PAGES 16ul

static char big[BSS_PAGES * PAGE];
extern char _end; /* the linker's: behind the last byte of .bss */

static bool behind;

/* Right behind the .bss: the kernel makes one mapping of both, if nothing has been forked yet. */
static int map_behind(void **state)
{
	uintptr_t end = ((uintptr_t)&_end + PAGE - 1) & -PAGE;
	char *p = mmap((void *)end, BEHIND_PAGES * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	behind = p != MAP_FAILED;
	memset(big, 1, sizeof(big));
	if (behind)
		memset(p, 1, BEHIND_PAGES * PAGE);
	return 0;
}

static void stay(struct child *c, void *arg)
{
	child_say(c, 0);
	for (;;)
		pause();
}

/* The rows of a child. */
static struct sheet classify_child(const struct child *c, const struct mappings_hints *hints)
{
	struct sheet s = {.a = account_new()};
	struct resident r;
	struct target *t;
	struct maps maps;
	struct mem *mem;

	assert_int_equal(target_open(&t, c->pid, NULL), 0);
	assert_int_equal(target_maps(t, &maps, NULL), 0);
	assert_int_equal(target_mem_open(&mem, t, &maps, NULL), 0);
	assert_int_equal(target_resident(t, &maps, &r, NULL), 0);
	assert_int_equal(account_take(s.a, &r.runs), 0);
	assert_int_equal(mappings_account(t, &maps, mem, hints, s.a), 0);
	sheet_close(&s);
	resident_done(&r);
	mem_close(mem);
	maps_done(&maps);
	target_close(t);
	return s;
}

static void bss_ends_where_the_program_says(void **state)
{
	const struct mappings_hints none = {0};
	struct sheet s;
	struct child c;

	child_start(&c, stay, NULL);
	child_hear(&c);
	s = classify_child(&c, &none);
	assert_true(bytes(&s, MEMORY_BSS, program_invocation_short_name) >= (BSS_PAGES - 1) * PAGE);
	assert_true(bytes(&s, MEMORY_BSS, program_invocation_short_name) <= (BSS_PAGES + 8) * PAGE);
	if (behind)
		assert_true(bytes(&s, MEMORY_ANONYMOUS, "") >= BEHIND_PAGES * PAGE);
	assert_true(bytes(&s, MEMORY_FILE_TEXT, program_invocation_short_name) > 0);
	assert_true(bytes(&s, MEMORY_FILE_TEXT, "libc.so.6") > 0);
	assert_true(bytes(&s, MEMORY_STACK, "main thread") > 0);
	child_end(&c);
	sheet_done(&s);
}

static void stacks_are_not_another_mallocs(void **state)
{
	const struct mappings_hints hints = {.malloc = "jemalloc"};
	struct sheet s;
	struct child c;

	child_start(&c, run_thread, NULL);
	child_hear(&c);
	wait_until(all_pause(c.pid));
	s = classify_child(&c, &hints);
	assert_true(bytes(&s, MEMORY_STACK, NULL) - bytes(&s, MEMORY_STACK, "main thread") >=
		    STACK_BYTES);
#ifndef __SANITIZE_ADDRESS__ /* which has an allocator of its own */
	assert_true(bytes(&s, MEMORY_OTHER_MALLOC, "jemalloc") < STACK_BYTES);
#endif
	child_end(&c);
	sheet_done(&s);
}

static void a_stack_ends_where_its_thread_says(void **state)
{
	const struct mappings_hints hints = {.malloc = "musl"};

	for (int known = 0; known < 2; known++) {
		struct sheet s;
		struct child c;
		uint64_t stack;

		child_start(&c, run_thread_of_musl, known ? &c : NULL);
		child_hear(&c);
		wait_until(all_pause(c.pid));
		s = classify_child(&c, &hints);
		stack = bytes(&s, MEMORY_STACK, NULL) - bytes(&s, MEMORY_STACK, "main thread");
#ifndef __SANITIZE_ADDRESS__
		/* what is not known counts as a whole */
		assert_int_equal(stack, STACK_BYTES + PAGE + (known ? 0 : MALLOC_BYTES));
		if (known)
			assert_true(bytes(&s, MEMORY_OTHER_MALLOC, "musl") >= MALLOC_BYTES);
#endif
		child_end(&c);
		sheet_done(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule),
		cmocka_unit_test(another_malloc_has_what_is_anonymous),
		cmocka_unit_test(mimalloc_is_told_by_its_segments),
		cmocka_unit_test(allocators_are_known_by_their_libraries),
		cmocka_unit_test(bss_ends_where_the_program_says),
		cmocka_unit_test(stacks_are_not_another_mallocs),
		cmocka_unit_test(a_stack_ends_where_its_thread_says),
	};

	return cmocka_run_group_tests(tests, map_behind, NULL);
}
