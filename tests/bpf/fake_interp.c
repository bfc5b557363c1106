/* SPDX-License-Identifier: MIT */
/*
 * A program that allocates arenas, chunks and pools as CPython does, on command, and keeps its own
 * tally of what it has called.
 */
#include "fake_interp.h"

#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

struct gil {
	long interval;
	struct tstate *last_holder;
	int locked;
};

struct interp {
	char before[40];
	struct gil *gil;
	unsigned long feature_flags;
};

struct tstate {
	char before[16];
	struct interp *interp;
	unsigned long thread_id;
};

#define USE_MAIN_OBMALLOC (1ul << 5)

static size_t ntimes, narenas;
static struct fake_tally tally;
static int state_main, state_other;
static struct gil main_gil, own_gil;
static struct interp main_interp = {.gil = &main_gil, .feature_flags = USE_MAIN_OBMALLOC};
static struct interp shared_gil_interp = {.gil = &main_gil};
static struct interp legacy_interp = {.gil = &main_gil, .feature_flags = USE_MAIN_OBMALLOC};
static struct interp own_gil_interp = {.gil = &own_gil};
static struct tstate main_tstate = {.interp = &main_interp};
static bool fail;

/* What the probes are on. The asm keeps calls and arguments as they are written. */
static void *__attribute__((noinline, noclone)) arena_alloc(void *ctx, size_t size)
{
	__asm__ volatile("" ::"r"(ctx), "r"(size) : "memory");
	return fail ? NULL : &tally;
}

static void __attribute__((noinline, noclone)) arena_free(void *ctx, void *p, size_t size)
{
	__asm__ volatile("" ::"r"(ctx), "r"(p), "r"(size) : "memory");
}

static void __attribute__((noinline, noclone)) new_pool(void *state, unsigned size)
{
	__asm__ volatile("" ::"r"(state), "r"(size) : "memory");
}

static void __attribute__((noinline, noclone)) new_pool_old(unsigned size)
{
	__asm__ volatile("" ::"r"(size) : "memory");
}

static void take(void)
{
	if (!arena_alloc(NULL, FAKE_ARENA_SIZE)) {
		tally.taken++;
		tally.failed++;
		return;
	}
	tally.taken++;
	ntimes++;
	narenas++;
}

static void release(void)
{
	arena_free(NULL, &tally, FAKE_ARENA_SIZE);
	tally.released++;
	narenas--;
}

static void take_and_release_other(void)
{
	arena_alloc(NULL, FAKE_ARENA_SIZE);
	arena_free(NULL, &tally, FAKE_ARENA_SIZE);
	tally.other_taken++;
	tally.other_released++;
}

/* Runs without the main GIL, while the main thread may hold it or not. */
static void *run_with_own_gil(void *n)
{
	struct tstate tstate = {.interp = &own_gil_interp, .thread_id = pthread_self()};

	own_gil.last_holder = &tstate;
	own_gil.locked = 1;
	for (unsigned i = 0; i < *(unsigned *)n; i++) {
		main_gil.locked = i % 2;
		take_and_release_other();
	}
	main_gil.locked = 1;
	return NULL;
}

static void run_sharing_gil(struct interp *interp, unsigned long thread, unsigned n,
			    void (*what)(void))
{
	struct tstate tstate = {.interp = interp, .thread_id = thread};

	main_gil.last_holder = &tstate;
	for (unsigned i = 0; i < n; i++)
		what();
	main_gil.last_holder = &main_tstate;
}

static void take_and_release(void)
{
	take();
	release();
}

static void run_own_gil(unsigned n)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_with_own_gil, &n))
		abort();
	pthread_join(thread, NULL);
}

static void obey(const struct fake_command *c)
{
	switch (c->what) {
	case FAKE_OWN_GIL:
		run_own_gil(c->n);
		return;
	case FAKE_SHARED_GIL:
		run_sharing_gil(&shared_gil_interp, pthread_self(), c->n, take_and_release_other);
		return;
	case FAKE_LEGACY:
		run_sharing_gil(&legacy_interp, pthread_self(), c->n, take_and_release);
		return;
	case FAKE_MOVED:
		run_sharing_gil(&legacy_interp, pthread_self() + 4096, c->n, take_and_release);
		return;
	case FAKE_LIE:
		ntimes += c->n;
		return;
	case FAKE_NO_GIL:
		main_gil.last_holder = NULL;
		main_gil.locked = 0;
		break;
	case FAKE_FAIL:
		fail = true;
		break;
	default:
		break;
	}
	for (unsigned i = 0; i < c->n; i++) {
		switch (c->what) {
		case FAKE_TAKE:
		case FAKE_FAIL:
			take();
			break;
		case FAKE_NO_GIL:
			take_and_release();
			break;
		case FAKE_RELEASE:
			release();
			break;
		case FAKE_CHUNK:
			arena_alloc(NULL, FAKE_CHUNK_SIZE);
			arena_free(NULL, &tally, FAKE_CHUNK_SIZE);
			tally.chunks_taken++;
			tally.chunks_released++;
			break;
		case FAKE_POOL:
			new_pool(&state_main, c->arg);
			tally.pools[c->arg % FAKE_CLASSES]++;
			break;
		case FAKE_POOL_OLD:
			new_pool_old(c->arg);
			tally.pools[c->arg % FAKE_CLASSES]++;
			break;
		case FAKE_POOL_OTHER:
			new_pool(&state_other, c->arg);
			tally.pools_other++;
			break;
		default:
			break;
		}
	}
	fail = false;
	main_gil.last_holder = &main_tstate;
	main_gil.locked = 1;
}

static int find_base(struct dl_phdr_info *info, size_t size, void *ret)
{
	*(struct dl_phdr_info *)ret = *info;
	return 1;
}

static uint64_t offset_of(const void *function)
{
	struct dl_phdr_info info = {};
	uintptr_t address;

	dl_iterate_phdr(find_base, &info);
	address = (uintptr_t)function - info.dlpi_addr;
	for (int i = 0; i < info.dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info.dlpi_phdr[i];

		if (p->p_type == PT_LOAD && address - p->p_vaddr < p->p_filesz)
			return address - p->p_vaddr + p->p_offset;
	}
	return 0;
}

int main(void)
{
	struct fake_hello hello = {
		.arena_alloc = offset_of(arena_alloc),
		.arena_free = offset_of(arena_free),
		.new_pool = offset_of(new_pool),
		.new_pool_old = offset_of(new_pool_old),
		.ntimes = (uintptr_t)&ntimes,
		.narenas = (uintptr_t)&narenas,
		.main_interp = (uintptr_t)&main_interp,
		.obmalloc = (uintptr_t)&state_main,
		.interp_gil = offsetof(struct interp, gil),
		.interp_feature_flags = offsetof(struct interp, feature_flags),
		.tstate_interp = offsetof(struct tstate, interp),
		.tstate_thread_id = offsetof(struct tstate, thread_id),
		.gil_last_holder = offsetof(struct gil, last_holder),
		.gil_locked = offsetof(struct gil, locked),
	};
	struct fake_command c;

	main_tstate.thread_id = pthread_self();
	main_gil.last_holder = &main_tstate;
	main_gil.locked = 1;
	/* As an interpreter that has run for a while. */
	for (int i = 0; i < 5; i++)
		take();
	tally = (struct fake_tally){};
	if (write(1, &hello, sizeof(hello)) != sizeof(hello))
		return 1;
	while (read(0, &c, sizeof(c)) == sizeof(c)) {
		obey(&c);
		tally.ntimes = ntimes;
		tally.narenas = narenas;
		if (write(1, &tally, sizeof(tally)) != sizeof(tally))
			return 1;
	}
	return 0;
}
