/* SPDX-License-Identifier: MIT */
#include "fake_calls.h"

#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TABLE_BYTES (2ul << 20) /* that one page table maps */
#define STACK_BYTES (64 << 10)	/* of a thread, touched before it is anybody's */

/* A thread, as the child knows it. */
struct vm_thread {
	struct fake_thread *state;
	struct fake_frame *frames; /* room for its stack */
	unsigned int depth;
	char *region;
	size_t at; /* pages of it that were touched */
	void (*run)(void);
	char stack[256] __attribute__((aligned(64))); /* that sites are hit with */
};

static struct vm_thread threads[VM_THREADS];
/* Two that grow at the same time may have each other's pages. */
static pthread_mutex_t growing = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t together; /* so nobody's beginning and end is another's growth */
static __thread struct vm_thread *me;

static bool has_handlers(void)
{
	return vm->style >= STYLE_311;
}

static uint64_t place(const struct fake_frame *f, enum fake_place at)
{
	const struct fake_code *code = (const void *)(uintptr_t)f->code;

	return fake_address(&code->units[at]);
}

/* All of them at one depth of the C stack, as in one run of the evaluation function. */
static void hit(enum pmt_call_site site, uint64_t arg1, uint64_t arg2)
{
	__asm__ volatile("mov %%rsp, %%rbx\n"
			 "mov %[sp], %%rsp\n"
			 "call *%[site]\n"
			 "mov %%rbx, %%rsp\n"
			 : "+D"(arg1), "+S"(arg2)
			 : [sp] "r"(me->stack + sizeof(me->stack)), [site] "r"(vm_sites[site])
			 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "cc", "memory");
}

void vm_hit(enum pmt_call_site site)
{
	hit(site, fake_address(me->state), me->state->frame);
}

struct fake_frame *vm_frame(void)
{
	return (void *)(uintptr_t)me->state->frame;
}

struct fake_frame *vm_switch(struct fake_frame *to)
{
	struct fake_frame *was = vm_frame();

	me->state->frame = fake_address(to);
	return was;
}

/* pages come when the site has been passed; until 3.10 the thread state names the frame then. */
static void enter(struct fake_frame *f, size_t pages)
{
	f->previous = me->state->frame;
	/* its caller waits at the call */
	if (vm_frame() && has_handlers())
		vm_frame()->instr = place(vm_frame(), AT_CALL);
	if (has_handlers()) {
		me->state->frame = fake_address(f);
		vm_hit(PMT_SITE_RESUME_CHECK);
		vm_grow(pages);
		return;
	}
	if (vm->style == STYLE_310)
		hit(PMT_SITE_ENTER, fake_address(me->state), fake_address(f));
	else
		hit(PMT_SITE_ENTER, fake_address(f), fake_address(me->state));
	vm_grow(pages);
	me->state->frame = fake_address(f);
	f->lasti += 2;
}

static void set_up(struct fake_frame *f, unsigned int fn)
{
	*f = (struct fake_frame){
		.code = fake_address(&vm->world.codes[fn]),
		.lasti = -2,
	};
	f->instr = place(f, AT_START);
}

void vm_call_growing(unsigned int fn, size_t pages)
{
	struct fake_frame *f = &me->frames[me->depth++];

	set_up(f, fn);
	enter(f, pages);
}

void vm_call(unsigned int fn)
{
	vm_call_growing(fn, 0);
}

void vm_push(unsigned int fn)
{
	struct fake_frame *f = &me->frames[me->depth++];

	set_up(f, fn);
	f->previous = me->state->frame;
	f->instr = place(f, AT_CALL);
	f->lasti = 2;
	me->state->frame = fake_address(f);
}

static bool is_generator(const struct fake_frame *f)
{
	return f >= vm->generators && f < vm->generators + VM_GENERATORS;
}

/* Frames that are not generators' lie one after the other, as since 3.11. */
static void drop(void)
{
	struct fake_frame *f = vm_frame();

	me->state->frame = f->previous;
	if (!is_generator(f))
		me->depth--;
}

void vm_pop(unsigned int n)
{
	while (n--)
		drop();
}

void vm_suspend(void)
{
	vm_frame()->instr = place(vm_frame(), AT_YIELD);
	vm_frame()->stacktop = 8;
	vm_frame()->state = -1;
	drop();
}

static struct fake_frame *generator_frame(unsigned int generator, unsigned int fn)
{
	struct fake_frame *f = &vm->generators[generator];

	if (f->code) {
		f->instr = place(f, AT_RESUME);
		return f;
	}
	set_up(f, fn);
	f->owner = 1;
	return f;
}

void vm_send(unsigned int generator, unsigned int fn)
{
	struct fake_frame *f = generator_frame(generator, fn);

	enter(f, 0);
}

void vm_throw(unsigned int generator, unsigned int fn)
{
	struct fake_frame *f = generator_frame(generator, fn);

	if (!has_handlers()) { /* one way in for all */
		enter(f, 0);
		return;
	}
	f->instr = place(f, AT_CALL);
	vm_frame()->instr = place(vm_frame(), AT_CALL);
	f->previous = me->state->frame;
	me->state->frame = fake_address(f);
}

/* state: what 3.10 says; it and 3.9 have left the frame before the site. */
static void leave(int8_t state, enum fake_place at, enum pmt_call_site site)
{
	struct fake_frame *f = vm_frame();

	if (has_handlers()) {
		f->instr = place(f, at);
		vm_hit(site);
		drop();
		return;
	}
	f->state = state;
	f->stacktop = at == AT_YIELD ? me->state->frame : 0;
	drop();
	vm_hit(PMT_SITE_LEAVE);
}

void vm_return(void)
{
	leave(1, AT_RETURN, vm->style == STYLE_313 ? PMT_SITE_CLEAR : PMT_SITE_RETURN);
}

void vm_yield(void)
{
	leave(-1, AT_YIELD, PMT_SITE_YIELD);
}

void vm_raise(unsigned int n)
{
	me->state->exception = fake_address(vm->world.type);
	while (n--) {
		if (vm->style == STYLE_311)
			drop();
		else
			leave(2, AT_OTHER, PMT_SITE_CLEAR);
	}
	me->state->exception = 0;
}

/*
 * Until 6.1 a thread keeps back what it has counted, until it takes pages away: here none, from a page
 * table's first place, which is never touched.
 */
static void settle(void)
{
	char *p = me->region + (me->at ? me->at - 1 : 0) * PAGE;

	madvise((void *)((uintptr_t)p & ~(TABLE_BYTES - 1)), PAGE, MADV_DONTNEED);
}

void vm_grow(size_t pages)
{
	if (!pages)
		return;
	pthread_mutex_lock(&growing);
	while (pages) {
		char *p = me->region + me->at++ * PAGE;

		if ((uintptr_t)p % TABLE_BYTES == 0)
			continue;
		*(volatile char *)p = 1;
		pages--;
	}
	settle();
	pthread_mutex_unlock(&growing);
}

void vm_shrink(size_t pages)
{
	while (pages) {
		char *p = me->region + --me->at * PAGE;

		if ((uintptr_t)p % TABLE_BYTES == 0)
			continue;
		madvise(p, PAGE, MADV_DONTNEED);
		pages--;
	}
}

static bool thread_init(struct vm_thread *t, struct fake_thread *state, struct fake_frame *frames)
{
	char *p = mmap(NULL, VM_REGION_BYTES + TABLE_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return false;
	t->state = state;
	t->frames = frames;
	t->region = (char *)(((uintptr_t)p + TABLE_BYTES - 1) & ~(TABLE_BYTES - 1));
	madvise(t->region, VM_REGION_BYTES, MADV_NOHUGEPAGE);
	/* the page tables of the first */
	t->at = 1;
	*(volatile char *)(t->region + t->at++ * PAGE) = 1;
	return true;
}

static void __attribute__((noinline)) touch_stack(void)
{
	volatile char stack[STACK_BYTES];

	for (size_t i = 0; i < sizeof(stack); i += PAGE)
		stack[i] = 1;
}

/* Its stack comes before the state names the thread, so that no function has it. */
static void *thread_main(void *arg)
{
	touch_stack();
	me = arg;
	*(volatile char *)(me->region + me->at++ * PAGE) = 1;
	settle();
	me->state->frame = 0;
	me->state->thread_id = (uint64_t)pthread_self();
	pthread_barrier_wait(&together);
	me->run();
	settle();
	pthread_barrier_wait(&together);
	me->state->thread_id = 0;
	return NULL;
}

void vm_threads(unsigned int nr, void (*const run[])(void))
{
	pthread_t started[VM_THREADS];
	struct stat tasks;

	/* the state that holds the GIL is none of theirs */
	pthread_barrier_init(&together, NULL, nr);
	for (unsigned int i = 0; i < nr; i++) {
		threads[i + 1].run = run[i];
		if (pthread_create(&started[i], NULL, thread_main, &threads[i + 1]))
			abort();
	}
	for (unsigned int i = 0; i < nr; i++)
		pthread_join(started[i], NULL);
	pthread_barrier_destroy(&together);
	/* joined is not gone: until 6.15 it can be before its end is told */
	while (!stat("/proc/self/task", &tasks) && tasks.st_nlink > 2 + 1)
		sched_yield();
	settle();
}

/* Of one program or library: what of its file a fork child does not have in its page table. */
static int populate(struct dl_phdr_info *info, size_t size, void *ctx)
{
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t start = (info->dlpi_addr + p->p_vaddr) & -(uintptr_t)PAGE;
		uintptr_t end = info->dlpi_addr + p->p_vaddr + p->p_filesz;

		if (p->p_type == PT_LOAD)
			madvise((void *)start, end - start, MADV_POPULATE_READ);
	}
	return 0;
}

pid_t vm_fork(void)
{
	pid_t pid;

	vm_switch(NULL);
	pid = fork();
	if (pid)
		return pid;
	dl_iterate_phdr(populate, NULL);
	madvise(vm, sizeof(*vm), MADV_POPULATE_WRITE);
	settle();
	return 0;
}

/* Where probes have been taken out, the file's page comes back when it is needed. */
static void touch_sites(void)
{
	volatile char sum = 0;

	for (int i = 0; i < PMT_SITES; i++)
		sum += *(const char *)(uintptr_t)vm_sites[i];
	settle();
}

int vm_main(int in, int out)
{
	void (*run)(void);
	char done = 1;

	signal(SIGSEGV, SIG_DFL); /* cmocka's handler would go on with the tests */
	/* All pages are here, and its own, before anything is counted: what comes then is meant. */
	if (mlockall(MCL_CURRENT))
		return 1;
	for (int i = 0; i < VM_THREADS; i++) {
		struct fake_thread *state = &vm->world.threads[i];

		if (!thread_init(&threads[i], state,
				 i ? &vm->world.frames[(i - 1) * 100] : vm->deep))
			return 1;
		if (i)
			vm->world.threads[i - 1].next = fake_address(state);
	}
	me = &threads[0];
	settle();
	if (write(out, &done, 1) != 1)
		return 1;
	while (read(in, &run, sizeof(run)) == sizeof(run)) {
		touch_sites();
		run();
		settle();
		if (write(out, &done, 1) != 1)
			return 1;
	}
	return 0;
}
