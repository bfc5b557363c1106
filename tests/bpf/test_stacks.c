/* SPDX-License-Identifier: MIT */
/*
 * Stacks as BPF walks them, in memory that tells the truth and in memory that lies: every page that
 * comes is put down to a stack or to the right cause, and all of it adds up.
 */
#include "bpf_test.h"

#include "fake_stack.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE	     4096
#define GROW_PAGES   256
#define REGION_BYTES (1ul << 30)
#define BATCH	     64 /* pages; kernels until 6.1 */

/* One session with one child, and what was seen of it. */
struct scene {
	struct trace *t;
	struct child child;
	struct fake_world *w;
	bool batched;
	/* by the newest look */
	struct trace_counts counts;
	int64_t on_stacks, causes[PMT_CAUSES];
	unsigned int nr_codes, nr_stacks, nr_sums;
	struct pmt_code_rec code;   /* the newest */
	struct pmt_stack_rec stack; /* the newest */
};

static struct fake_world *world;
static char *region; /* that the child fills */

/* Fills more of its region, or does to its frames what only it can do. */
static int child_main(int in, int out)
{
	size_t at = 0;
	char c;

	region = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (region == MAP_FAILED)
		return 1;
	madvise(region, REGION_BYTES, MADV_NOHUGEPAGE);
	/* in its page table too: the walker takes no fault */
	for (size_t i = 0; i < sizeof(*world); i += PAGE)
		((volatile char *)world)[i] += 0;
	if (write(out, &region, sizeof(region)) != sizeof(region))
		return 1;
	while (read(in, &c, 1) == 1) {
		switch (c) {
		case 'g':
			for (int i = 0; i < GROW_PAGES; i++)
				region[at++ * PAGE] = 1;
			break;
		case '1':
			region[at++ * PAGE] = 1;
			break;
		case 'f':
			madvise(region, at * PAGE, MADV_DONTNEED);
			break;
		case 'd': /* frames that are not there */
			madvise(world->frames, sizeof(world->frames), MADV_DONTNEED);
			break;
		case 'p':
			mprotect(world->frames, sizeof(world->frames), PROT_NONE);
			break;
		case 'u':
			munmap(world->frames, sizeof(world->frames));
			break;
		}
		if (write(out, &c, 1) != 1)
			return 1;
	}
	return 0;
}

static void tell(struct scene *s, char command)
{
	char c;

	child_command(&s->child, command);
	child_read(&s->child, &c, 1);
}

static void on_code(void *ctx, const struct pmt_code_rec *r)
{
	struct scene *s = ctx;

	s->code = *r;
	s->nr_codes++;
}

static void on_stack(void *ctx, const struct pmt_stack_rec *r)
{
	struct scene *s = ctx;

	memset(&s->stack, 0, sizeof(s->stack));
	memcpy(&s->stack, r, offsetof(struct pmt_stack_rec, frames) + r->nr * sizeof(r->frames[0]));
	s->nr_stacks++;
}

static void drain(struct scene *s)
{
	const struct trace_sink sink = {.code = on_code, .stack = on_stack, .ctx = s};

	assert_int_equal(trace_read_stacks(s->t, &sink), 0);
}

static void on_sum(void *ctx, const struct trace_sum *sum)
{
	struct scene *s = ctx;

	assert_int_equal(sum->event, PMT_ON_RSS);
	s->on_stacks += (int64_t)(sum->change.growth - sum->change.shrink);
	s->nr_sums++;
}

/* Reads all, and checks that it adds up to the change of RSS. */
static void look(struct scene *s)
{
	struct fault f = {};
	int64_t sum;

	s->on_stacks = s->nr_sums = 0;
	assert_int_equal(trace_read_sums(s->t, on_sum, s), 0);
	assert_no_fault(trace_read(s->t, s->child.pid, &s->counts, &f), f);
	sum = s->on_stacks;
	for (int i = 0; i < PMT_CAUSES; i++) {
		const struct pmt_change *c = &s->counts.counts.causes[PMT_ON_RSS][i];

		s->causes[i] = (int64_t)(c->growth - c->shrink);
		sum += s->causes[i];
	}
	assert_int_equal(sum, s->counts.rss.anon + s->counts.rss.file + s->counts.rss.shmem -
				      s->counts.rss_begin);
}

/* The scene before the walk is set: a thread that is known, in three frames. */
static struct scene open_scene(uint32_t max_stacks)
{
	const struct trace_options o = {.stack_events = 1 << PMT_ON_RSS, .max_stacks = max_stacks};
	struct scene s = {.w = world};
	struct pmt_target what = {};
	struct fault f = {};

	fake_world_init(world, (uint64_t)pthread_self());
	s.t = open_session_with(&o);
	s.batched = trace_rss_is_batched(s.t);
	s.child = child_start(child_main);
	child_read(&s.child, &region, sizeof(region));
	tell(&s, 'g'); /* it has all of its text by then */
	assert_no_fault(trace_set_target(s.t, s.child.pid, &what, &f), f);
	look(&s);
	return s;
}

static void set_walk(struct scene *s, const struct pmt_walk *walk)
{
	struct fault f = {};

	assert_no_fault(trace_set_walk(s->t, s->child.pid, walk, &f), f);
}

static struct scene open_known(uint32_t max_stacks)
{
	struct scene s = open_scene(max_stacks);
	struct pmt_walk walk = fake_walk(world);

	set_walk(&s, &walk);
	return s;
}

static void close_scene(struct scene *s)
{
	child_end(&s->child);
	close_session(s->t);
}

/*
 * The child grows, and all of it is put down to cause; PMT_CAUSES: to stacks. Until 6.1 what a command
 * before left over comes with it, and some of its own is left over.
 */
static void assert_grows(struct scene *s, enum pmt_cause cause)
{
	int64_t stacks = s->on_stacks, causes[PMT_CAUSES], grown;

	memcpy(causes, s->causes, sizeof(causes));
	tell(s, 'g');
	drain(s);
	look(s);
	grown = cause == PMT_CAUSES ? s->on_stacks - stacks : s->causes[cause] - causes[cause];
	if (s->batched)
		assert_in_range(grown, (GROW_PAGES - BATCH) * PAGE,
				(GROW_PAGES + 3 * BATCH) * PAGE);
	else
		assert_in_range(grown, GROW_PAGES * PAGE, (GROW_PAGES + 8) * PAGE);
	for (enum pmt_cause i = 0; i < PMT_CAUSES; i++)
		if (i != cause)
			assert_int_equal(s->causes[i], causes[i]);
	if (cause != PMT_CAUSES)
		assert_int_equal(s->on_stacks, stacks);
}

static void a_stack_is_walked(void **state)
{
	struct scene s = open_scene(100);
	struct pmt_walk walk = fake_walk(world);
	int64_t before;

	assert_grows(&s, PMT_CAUSE_NOT_READY);
	set_walk(&s, &walk);
	assert_grows(&s, PMT_CAUSES);
	assert_int_equal(s.nr_codes, 3);
	assert_int_equal(s.nr_stacks, 1);
	assert_int_equal(s.stack.nr, 3);
	assert_int_equal(s.stack.flags, 0);
	assert_int_equal(s.stack.native, 0);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(s.stack.frames[i].code, i + 1);
		assert_int_equal(s.stack.frames[i].lasti, 2 * i);
	}
	assert_int_equal(s.code.first_line, 3);
	assert_int_equal(s.code.name.length, 2);
	assert_memory_equal(s.code.name_bytes, "f2", 2);
	assert_int_equal(s.code.table_size, sizeof(world->table.bytes));
	/* no more records for the same, and what goes is on its stack too */
	assert_grows(&s, PMT_CAUSES);
	assert_int_equal(s.nr_codes + s.nr_stacks, 4);
	before = s.on_stacks;
	tell(&s, 'f');
	look(&s);
	assert_in_range(before - s.on_stacks, (4 * GROW_PAGES - 2 * BATCH) * PAGE,
			(4 * GROW_PAGES + 2 * BATCH) * PAGE);
	close_scene(&s);
}

static void threads_are_found(void **state)
{
	struct scene s = open_known(100);
	uint64_t self = world->threads[0].thread_id;

	/* holds the GIL, and is in no list */
	world->interps[0].threads = 0;
	assert_grows(&s, PMT_CAUSE_NO_THREAD);
	world->current = fake_address(&world->threads[0]);
	assert_grows(&s, PMT_CAUSES);
	world->current = 8;
	assert_grows(&s, PMT_CAUSE_NO_THREAD);
	/* one of 600: as far as it is looked for */
	world->current = 0;
	world->interps[0].threads = fake_address(&world->threads[1]);
	for (int i = 1; i < NR_FAKE_THREADS; i++)
		world->threads[i] = (struct fake_thread){
			.next = i + 1 < NR_FAKE_THREADS ? fake_address(&world->threads[i + 1]) : 0,
			.thread_id = self + i,
			.frame = 8,
		};
	world->threads[500] = (struct fake_thread){
		.next = fake_address(&world->threads[501]),
		.thread_id = self,
		.frame = fake_address(&world->frames[0]),
	};
	assert_grows(&s, PMT_CAUSES);
	world->threads[500].thread_id = 0;
	world->threads[599].thread_id = self;
	assert_grows(&s, PMT_CAUSE_NO_THREAD);
	/* its state in another interpreter, and one without a frame before that */
	world->interps[0].next = fake_address(&world->interps[1]);
	world->interps[0].threads = fake_address(&world->threads[598]);
	world->threads[598] = (struct fake_thread){.thread_id = self};
	world->interps[1].threads = fake_address(&world->threads[0]);
	assert_grows(&s, PMT_CAUSES);
	world->interps[1].threads = 0;
	assert_grows(&s, PMT_CAUSE_NO_FRAME);
	close_scene(&s);
}

/* Lists without an end, and addresses that are none. */
static void lists_may_lie(void **state)
{
	static const uint64_t nowhere[] = {8,
					   0xdeadbeef000,
					   0xffff888000000000,
					   0xffffffff81000000,
					   0x8000000000000000,
					   UINT64_MAX - 3};
	struct scene s = open_known(100);

	world->threads[0].thread_id++;
	world->threads[0].next = fake_address(&world->threads[0]);
	assert_grows(&s, PMT_CAUSE_NO_THREAD);
	world->threads[0].next = 0;
	world->interps[0].next = fake_address(&world->interps[0]);
	assert_grows(&s, PMT_CAUSE_NO_THREAD);
	for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
		fake_world_init(world, (uint64_t)pthread_self());
		world->head = nowhere[i];
		assert_grows(&s, PMT_CAUSE_NO_THREAD);
		world->head = 0;
		assert_grows(&s, PMT_CAUSE_NOT_READY);
		world->head = fake_address(&world->interps[0]);
		world->interps[0].threads = nowhere[i];
		assert_grows(&s, PMT_CAUSE_NO_THREAD);
		world->interps[0].threads = fake_address(&world->threads[0]);
		world->threads[0].frame = nowhere[i];
		assert_grows(&s, PMT_CAUSE_WALK_FAILED);
		fake_chain(world, 5, 0);
		world->frames[3].previous = nowhere[i];
		assert_grows(&s, PMT_CAUSE_WALK_FAILED);
		fake_chain(world, 5, 0);
		world->frames[2].code = nowhere[i];
		assert_grows(&s, PMT_CAUSE_WALK_FAILED);
	}
	/* a code object is one by its type */
	fake_chain(world, 5, 0);
	world->codes[4].type++;
	assert_grows(&s, PMT_CAUSE_WALK_FAILED);
	world->codes[4].type--;
	world->frames[4].code = 0;
	assert_grows(&s, PMT_CAUSE_WALK_FAILED);
	close_scene(&s);
}

static uint64_t names_unread(struct scene *s)
{
	uint64_t losses[PMT_LOSS_KINDS];

	assert_int_equal(trace_read_losses(s->t, losses), 0);
	return losses[PMT_LOSS_NAMES];
}

/* A stack is a stack without names, and they are bounded. */
static void names_may_lie(void **state)
{
	struct scene s = open_known(100);
	struct fake_str *name = &world->names[0];
	const struct fake_str good = *name;
	uint64_t unread = 0;

	/* each time another code object, of another line */
	for (int i = 0; i < 8; i++) {
		*name = good;
		fake_chain(world, 1, 0);
		world->codes[0].first_line = i + 1;
		world->codes[0].file = fake_address(&world->names[1]);
		switch (i) {
		case 0:
			world->codes[0].name = 8;
			break;
		case 1:
			world->codes[0].name = fake_address(name);
			name->state = 0; /* not compact */
			break;
		case 2:
			name->state = FAKE_STATE(3); /* no kind */
			break;
		case 3:
			name->length = UINT64_MAX;
			break;
		case 4:
			name->length = 1u << 31;
			break;
		case 5:
			world->codes[0].file = 0xdeadbeef000;
			break;
		case 6: /* long, and the end of the address space is not */
			name->length = 1000;
			break;
		case 7:
			world->codes[0].file = fake_address(&world->long_file);
			world->codes[0].table = UINT64_MAX - 7;
			break;
		}
		assert_grows(&s, PMT_CAUSES);
		assert_int_equal(s.code.first_line, i + 1);
		assert_int_equal(s.nr_codes, i + 1);
		unread += i < 6;
		assert_int_equal(names_unread(&s), unread);
		assert_int_equal(s.code.name.kind, i < 5 ? 0 : 1);
		assert_int_equal(s.code.file.kind, i == 5 ? 0 : 1);
		if (i == 6) {
			assert_int_equal(s.code.name.length, PMT_NAME_BYTES);
			assert_int_equal(s.code.name.skipped, 1000 - PMT_NAME_BYTES);
		}
	}
	assert_int_equal(s.code.file.length, PMT_FILE_BYTES);
	assert_int_equal(s.code.file.skipped, FAKE_FILE_BYTES - PMT_FILE_BYTES);
	assert_int_equal(s.code.table_size, PMT_TABLE_UNREAD);
	/* a table longer than it may be is not there */
	world->codes[0].first_line = 9;
	world->codes[0].table = fake_address(&world->table);
	world->table.length = 1ull << 40;
	assert_grows(&s, PMT_CAUSES);
	assert_int_equal(s.code.table_size, PMT_TABLE_UNREAD);
	close_scene(&s);
}

/* The memory of one that was freed, and that of its name, by another: of a hash, and of none. */
static void memory_may_be_used_again(void **state)
{
	struct scene s = open_known(100);

	for (int i = 0; i < 2; i++) {
		struct fake_str *name = &world->names[i];

		fake_chain(world, 1, i);
		assert_grows(&s, PMT_CAUSES);
		assert_int_equal(s.nr_codes, 3 * i + 1);
		name->ascii[0] = 'g';
		name->hash += i ? 0 : 1;
		assert_grows(&s, PMT_CAUSES);
		assert_int_equal(s.nr_codes, 3 * i + 2);
		assert_memory_equal(s.code.name_bytes, i ? "g1" : "g0", 2);
		world->codes[i].file = fake_address(&world->long_file);
		assert_grows(&s, PMT_CAUSES);
		assert_int_equal(s.nr_codes, 3 * i + 3);
		assert_int_equal(s.nr_stacks, 3 * i + 3);
	}
	close_scene(&s);
}

/* The walker takes no fault: what is swapped out, or may not be read, is not read. */
static void absent_pages_are_not_read(void **state)
{
	static const char ways[] = {'d', 'p', 'u'};

	for (size_t i = 0; i < sizeof(ways); i++) {
		struct scene s = open_known(100);

		assert_grows(&s, PMT_CAUSES);
		tell(&s, ways[i]);
		look(&s);
		assert_grows(&s, PMT_CAUSE_WALK_FAILED);
		close_scene(&s);
	}
}

static void full_tables_are_counted(void **state)
{
	struct scene s = open_known(2);

	/* four code objects find room */
	fake_chain(world, 4, 0);
	assert_grows(&s, PMT_CAUSES);
	fake_chain(world, 5, 0);
	assert_grows(&s, PMT_CAUSE_TABLE_FULL);
	fake_chain(world, 2, 0);
	assert_grows(&s, PMT_CAUSES);
	assert_int_equal(s.nr_sums, 2);
	/* a third stack does not, and those that are there go on */
	fake_chain(world, 3, 0);
	assert_grows(&s, PMT_CAUSE_TABLE_FULL);
	fake_chain(world, 4, 0);
	assert_grows(&s, PMT_CAUSES);
	assert_int_equal(s.nr_sums, 2);
	assert_int_equal(s.nr_stacks, 2);
	close_scene(&s);
}

/* Nobody reads the ring: what has no room in it is counted, and comes again when there is room. */
static void a_full_ring_is_counted(void **state)
{
	struct scene s = open_known(10000);
	unsigned int first = 0, codes;

	do {
		fake_chain(world, 100, first);
		tell(&s, 'g');
		look(&s);
		first += 100;
	} while (!s.causes[PMT_CAUSE_RECORD_LOST] && first < NR_FAKE_CODES);
	assert_in_range(first, 1000, NR_FAKE_CODES - 1);
	drain(&s);
	codes = s.nr_codes;
	assert_in_range(codes, first - 200, first);
	assert_grows(&s, PMT_CAUSES);
	assert_int_equal(s.nr_codes, first);
	assert_int_equal(s.stack.nr, 100);
	close_scene(&s);
}

/* A page that another process makes it have. */
static void others_are_told_apart(void **state)
{
	struct scene s = open_known(100);
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", s.child.pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	for (int i = 1; i <= GROW_PAGES; i++)
		assert_int_equal(
			pwrite(fd, "x", 1, (off_t)(uintptr_t)(region + REGION_BYTES - i * PAGE)),
			1);
	close(fd);
	look(&s);
	/* until 6.1 the page is counted by the thread that makes it, for itself, and in steps */
	assert_int_equal(s.on_stacks, 0);
	if (!s.batched)
		assert_int_equal(s.causes[PMT_CAUSE_OTHER_TASK], GROW_PAGES * PAGE);
	assert_grows(&s, PMT_CAUSES);
	close_scene(&s);
}

static uint64_t random_of(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Anything may stand anywhere: it ends, and adds up. */
static void anything_may_stand_anywhere(void **state)
{
	/* words that a walk reads: the frame before, the code, where it is */
	static const unsigned char read_of_frame[] = {0, 1, 4};
	struct scene s = open_known(100);
	uint64_t dice = 88172645463325252ull;

	for (int round = 0; round < 3000; round++) {
		const size_t words = sizeof(*world) / 8;
		uint64_t *raw = (uint64_t *)world;

		if (round % 50 == 0) {
			fake_world_init(world, (uint64_t)pthread_self());
			fake_chain(world, 50, 0);
		}
		for (int i = 0; i < 4; i++) {
			uint64_t r = random_of(&dice);
			/* often in what a walk reads first */
			size_t at =
				r % 8 == 0 ? r >> 8
				: r % 2	   ? offsetof(struct fake_world, frames) / 8 +
						  (r >> 8) % 50 * sizeof(struct fake_frame) / 8 +
						  read_of_frame[(r >> 16) % 3]
					: (r >> 8) % 300;

			raw[at % words] = r % 3 ? fake_address(raw + random_of(&dice) % words)
						: random_of(&dice);
		}
		tell(&s, '1');
		if (round % 20 == 0) {
			drain(&s);
			look(&s);
		}
	}
	drain(&s);
	look(&s);
	assert_true(s.causes[PMT_CAUSE_WALK_FAILED] > 0 && s.on_stacks > 0);
	close_scene(&s);
}

static void frames_are_bounded(void **state)
{
	struct scene s = open_known(1000);

	fake_chain(world, 127, 0);
	assert_grows(&s, PMT_CAUSES);
	assert_int_equal(s.stack.nr, 127);
	assert_int_equal(s.stack.flags, 0);
	fake_chain(world, 128, 0);
	assert_grows(&s, PMT_CAUSES);
	assert_int_equal(s.stack.nr, 127);
	assert_int_equal(s.stack.flags, PMT_TRUNCATED);
	/* round and round */
	fake_chain(world, 2, 0);
	world->frames[1].previous = fake_address(&world->frames[0]);
	assert_grows(&s, PMT_CAUSES);
	assert_int_equal(s.stack.nr, 127);
	assert_int_equal(s.stack.flags, PMT_TRUNCATED);
	/* shims take a turn and are no frames */
	fake_chain(world, 250, 0);
	for (int i = 0; i < 250; i += 2)
		world->frames[i].owner = PMT_OWNER_CSTACK;
	assert_grows(&s, PMT_CAUSES);
	assert_int_equal(s.stack.nr, 125);
	assert_int_equal(s.stack.flags, 0);
	for (int i = 0; i < 250; i++)
		world->frames[i].owner = PMT_OWNER_CSTACK;
	assert_grows(&s, PMT_CAUSE_NO_FRAME);
	world->frames[249].previous = fake_address(&world->frames[0]);
	assert_grows(&s, PMT_CAUSE_NO_FRAME);
	close_scene(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stack_is_walked),
		cmocka_unit_test(threads_are_found),
		cmocka_unit_test(lists_may_lie),
		cmocka_unit_test(names_may_lie),
		cmocka_unit_test(memory_may_be_used_again),
		cmocka_unit_test(frames_are_bounded),
		cmocka_unit_test(absent_pages_are_not_read),
		cmocka_unit_test(full_tables_are_counted),
		cmocka_unit_test(a_full_ring_is_counted),
		cmocka_unit_test(others_are_told_apart),
		cmocka_unit_test(anything_may_stand_anywhere),
	};

	world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (world == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests_name("stacks", tests, NULL, NULL);
}
