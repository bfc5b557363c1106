/* SPDX-License-Identifier: MIT */
/*
 * Recordings: what is written comes back in every field; a file that ends anywhere, or was changed
 * anywhere, is its beginning or a fault. Ground truth: the made-up profile as it was at each moment.
 */
#include "fixture.h"
#include "pmt_fixture.h"

#include "base/fault.h"
#include "output/pmt.h"
#include "output/pmt_internal.h"
#include "output/sink.h"

#include <endian.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOMENTS 3

/* A recording in memory, the profile as it was at each moment, and where each moment ends. */
struct recording {
	char *bytes;
	size_t len, head_end, ends[MOMENTS];
	struct profile *at[MOMENTS];
};

static int read_bytes(const void *bytes, size_t len, struct profile **ret, struct fault *f)
{
	FILE *in = fmemopen((void *)bytes, len ? len : 1, "re");
	int err;

	assert_non_null(in);
	if (!len)
		(void)getc(in);
	err = pmt_read(in, "x.pmt", ret, f);
	fclose(in);
	return err;
}

static size_t frame_end(const char *bytes, size_t at)
{
	uint32_t len;

	memcpy(&len, bytes + at, sizeof(len));
	return at + sizeof(struct pmt_frame) + le32toh(len);
}

/* The fixture as it is after so many steps. */
static struct profile *profile_after(int steps)
{
	struct profile *p = profile_fixture();

	for (int i = 1; i <= steps; i++)
		profile_fixture_grow(p, i);
	return p;
}

static int setup(void **state)
{
	struct recording *r = calloc(1, sizeof(*r));
	struct profile *p = profile_fixture();
	struct pmt_writer *w;
	struct fault f = {0};
	struct sink s = {0};

	s.f = open_memstream(&r->bytes, &r->len);
	w = pmt_writer_new(&s);
	for (int i = 0; i < MOMENTS; i++) {
		if (i)
			profile_fixture_grow(p, i);
		if (i == MOMENTS - 1 ? pmt_writer_end(w, p, &f) : pmt_writer_update(w, p, &f))
			return -1;
		r->ends[i] = r->len;
		r->at[i] = profile_after(i);
	}
	fclose(s.f);
	pmt_writer_free(w);
	profile_free(p);
	r->head_end = frame_end(r->bytes, PMT_START_BYTES);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct recording *r = *state;

	for (int i = 0; i < MOMENTS; i++)
		profile_free(r->at[i]);
	free(r->bytes);
	free(r);
	return 0;
}

static void every_field_comes_back(void **state)
{
	struct recording *r = *state;
	struct fault f = {0};
	struct profile *p;

	assert_int_equal(read_bytes(r->bytes, r->len, &p, &f), 0);
	assert_true(profile_equal(p, r->at[MOMENTS - 1]));
	assert_false(p->cut_short);
	profile_free(p);
}

/* The fixture's comparison sees each field: else the test above would prove nothing. */
static void the_comparison_is_of_every_field(void **state)
{
	struct profile *a = profile_fixture(), *b = profile_fixture();

	assert_true(profile_equal(a, b));
#define DIFFERS(field)                                 \
	do {                                           \
		(field)++;                             \
		if (profile_equal(a, b))               \
			fail_msg("not seen: " #field); \
		(field)--;                             \
	} while (0)
	DIFFERS(b->begin_ns);
	DIFFERS(b->end_ns);
	DIFFERS(b->step_pages);
	DIFFERS(b->page_bytes);
	DIFFERS(b->events);
	DIFFERS(*b->host);
	DIFFERS(*b->program);
	DIFFERS(b->names_lost);
	DIFFERS(b->lines_lost);
	DIFFERS(b->functions[1].kind);
	DIFFERS(*b->functions[1].name);
	DIFFERS(*b->functions[1].file);
	DIFFERS(b->functions[1].first_line);
	DIFFERS(b->stacks[1].frames[1].line);
	DIFFERS(b->stacks[1].frames[0].function);
	DIFFERS(b->threads[1].tid);
	DIFFERS(b->threads[1].pid);
	DIFFERS(*b->threads[1].comm);
	DIFFERS(*b->processes[1].command);
	DIFFERS(*b->processes[0].python);
	DIFFERS(b->processes[1].rss_before);
	DIFFERS(b->processes[1].rss_after);
	DIFFERS(b->processes[1].causes[PROFILE_POOL][PROFILE_EXEC].growth);
	DIFFERS(b->processes[1].causes[PROFILE_RSS][PROFILE_UNEXPLAINED].shrink);
	DIFFERS(b->processes[1].causes[PROFILE_RSS][PROFILE_NO_FRAME].events);
	DIFFERS(b->rows[1].stack);
	DIFFERS(b->rows[1].thread);
	DIFFERS(b->rows[1].event);
	DIFFERS(b->rows[1].change.growth);
	DIFFERS(b->rows[1].change.shrink);
	DIFFERS(b->rows[1].change.events);
	DIFFERS(b->rows[1].first_ns);
	DIFFERS(b->rows[1].last_ns);
	DIFFERS(b->arenas[1].address);
	DIFFERS(b->arenas[1].bytes);
	DIFFERS(b->arenas[1].used_bytes);
	DIFFERS(b->arenas[1].pools);
	DIFFERS(b->arenas[1].free_pools);
	DIFFERS(b->arenas[0].stack);
	DIFFERS(b->arenas[0].thread);
	DIFFERS(b->arenas[0].opened_ns);
#undef DIFFERS
	b->exact = !b->exact;
	assert_false(profile_equal(a, b));
	b->exact = !b->exact;
	b->batched = !b->batched;
	assert_false(profile_equal(a, b));
	b->batched = !b->batched;
	b->stacks[0].truncated = true;
	assert_false(profile_equal(a, b));
	b->stacks[0].truncated = false;
	b->processes[0].ended = true;
	assert_false(profile_equal(a, b));
	profile_free(a);
	profile_free(b);
}

static void extreme_numbers_come_back(void **state)
{
	struct profile *p = profile_fixture(), *q;
	struct profile_frame deep = {.function = 0, .line = INT32_MAX};
	struct sink s = {0};
	struct fault f = {0};
	struct pmt_writer *w;
	uint32_t index;
	size_t len;
	char *bytes;

	fixture_function(p, PROFILE_PYTHON, "", "negative", INT32_MIN);
	fixture_thread(p, 4300, INT32_MAX, "");
	assert_int_equal(profile_add_stack(p, &deep, 1, true, &index), 0);
	p->rows[0].change = (struct profile_change){PMT_MAX_FIGURE, PMT_MAX_FIGURE, PMT_MAX_FIGURE};
	p->rows[0].first_ns = p->begin_ns - 3600 * SECOND; /* a clock that was set */
	p->rows[0].last_ns = p->begin_ns + 1000000 * SECOND;
	p->arenas[0].address = UINT64_MAX;
	p->arenas[0].pools = UINT32_MAX;
	p->processes[0].rss_before = PMT_MAX_FIGURE;
	p->exact = true;
	p->step_pages = 1;
	p->page_bytes = 65536;
	p->events = 7;
	profile_balance(p);
	s.f = open_memstream(&bytes, &len);
	w = pmt_writer_new(&s);
	assert_int_equal(pmt_writer_end(w, p, &f), 0);
	fclose(s.f);
	assert_int_equal(read_bytes(bytes, len, &q, &f), 0);
	assert_true(profile_equal(p, q));
	pmt_writer_free(w);
	profile_free(p);
	profile_free(q);
	free(bytes);
}

static void an_empty_profile_comes_back(void **state)
{
	struct profile *p = profile_new(), *q;
	struct fault f = {0};
	struct sink s = {0};
	struct pmt_writer *w;
	char *bytes;
	size_t len;

	s.f = open_memstream(&bytes, &len);
	w = pmt_writer_new(&s);
	assert_int_equal(pmt_writer_update(w, p, &f), 0);
	assert_int_equal(pmt_writer_end(w, p, &f), 0);
	fclose(s.f);
	assert_int_equal(read_bytes(bytes, len, &q, &f), 0);
	assert_true(profile_equal(p, q));
	pmt_writer_free(w);
	profile_free(p);
	profile_free(q);
	free(bytes);
}

/* Wherever it ends: the profile of the last moment before that, or the sentence that there is none. */
static void cut_at_every_byte_it_is_its_beginning(void **state)
{
	struct recording *r = *state;

	for (size_t len = 0; len < r->len; len++) {
		struct fault f = {0};
		struct profile *p;
		int err = read_bytes(r->bytes, len, &p, &f);

		if (len < r->head_end) {
			assert_int_equal(err, -EINVAL);
			assert_string_equal(f.text,
					    len ? "x.pmt is cut short: nothing was recorded yet"
						: "x.pmt is empty");
			continue;
		}
		if (err)
			fail_msg("%zu bytes: %s", len, f.text);
		assert_true(p->cut_short);
		if (len < r->ends[0]) {
			assert_int_equal(p->nr_rows + p->nr_functions + p->nr_processes, 0);
			assert_int_equal(p->begin_ns, r->at[0]->begin_ns);
			assert_int_equal(p->end_ns, p->begin_ns);
			assert_string_equal(p->host, r->at[0]->host);
		} else if (!profile_equal(p, r->at[len < r->ends[1] ? 0 : 1])) {
			fail_msg("%zu bytes: not the profile of the moment", len);
		}
		profile_free(p);
	}
}

/* The checksum sees every changed bit: what comes after is as if it were not there. */
static void a_changed_bit_ends_it(void **state)
{
	struct recording *r = *state;

	for (size_t bit = r->head_end * 8; bit < r->len * 8; bit++) {
		struct fault f = {0};
		struct profile *p;
		int err;

		r->bytes[bit / 8] ^= (char)(1 << bit % 8);
		err = read_bytes(r->bytes, r->len, &p, &f);
		r->bytes[bit / 8] ^= (char)(1 << bit % 8);
		if (err)
			fail_msg("bit %zu: %s", bit, f.text);
		assert_true(p->cut_short);
		if (bit / 8 >= r->ends[0] && !profile_equal(p, r->at[bit / 8 < r->ends[1] ? 0 : 1]))
			fail_msg("bit %zu: not the profile of the moment", bit);
		profile_free(p);
	}
}

static void what_is_no_recording_is_told_apart(void **state)
{
	struct recording *r = *state;
	struct fault f = {0};
	struct profile *p;

	assert_int_equal(read_bytes("{\"schema\": 1}", 13, &p, &f), -EMEDIUMTYPE);
	assert_string_equal(f.text, "x.pmt is not a recording of pymemtrace-bpf");
	assert_int_equal(read_bytes("\x89PNG\r\n\x1a\n", 8, &p, &f), -EMEDIUMTYPE);
	assert_string_equal(f.text, "x.pmt is not a recording of pymemtrace-bpf");
	assert_false(pmt_is_recording("\x89PNG\r\n\x1a\n", 8));
	assert_false(pmt_is_recording("\x89PMT", 4));
	assert_true(pmt_is_recording(r->bytes, r->len));

	r->bytes[PMT_MAGIC_BYTES] = PMT_VERSION + 1;
	assert_int_equal(read_bytes(r->bytes, r->len, &p, &f), -ENOTSUP);
	assert_string_equal(f.text, "x.pmt has version 2 of the format, this program reads 1");
	assert_string_equal(f.hint, "use the version of pymemtrace-bpf that wrote it");
}

static void what_comes_after_the_end_is_not_read(void **state)
{
	struct recording *r = *state;
	_cleanup_free_ char *twice = malloc(r->len * 2);
	struct fault f = {0};
	struct profile *p;

	memcpy(twice, r->bytes, r->len);
	memcpy(twice + r->len, r->bytes, r->len);
	assert_int_equal(read_bytes(twice, r->len * 2, &p, &f), 0);
	assert_true(profile_equal(p, r->at[MOMENTS - 1]));
	assert_false(p->cut_short);
	profile_free(p);
}

/* --- frames that are whole, of a writer that lies ------------------------------------------- */

struct forged {
	char bytes[1 << 16];
	size_t len;
};

static void forge(struct forged *to, uint32_t kind, const void *payload, size_t len)
{
	struct pmt_frame frame = {.length = htole32((uint32_t)len), .kind = htole32(kind)};

	frame.crc = htole32(pmt_crc(&frame, payload, len));
	assert_true(to->len + sizeof(frame) + len <= sizeof(to->bytes));
	memcpy(to->bytes + to->len, &frame, sizeof(frame));
	memcpy(to->bytes + to->len + sizeof(frame), payload, len);
	to->len += sizeof(frame) + len;
}

static void forge_message(struct forged *to, uint32_t kind, const void *message)
{
	uint8_t payload[1 << 12];

	assert_true(protobuf_c_message_get_packed_size(message) <= sizeof(payload));
	forge(to, kind, payload, protobuf_c_message_pack(message, payload));
}

static void start(struct forged *to)
{
	Pmt__Head head = PMT__HEAD__INIT;

	to->len = 0;
	memcpy(to->bytes, PMT_MAGIC "\x01", PMT_START_BYTES);
	to->len = PMT_START_BYTES;
	head.begin_ns = FIXTURE_BEGIN;
	head.step_pages = 1;
	head.page_bytes = 4096;
	forge_message(to, PMT_HEAD, &head);
}

/* As it is at a moment: 0 is the fixture itself. */
static void continue_from(struct forged *to, const struct recording *r, int moment)
{
	assert_true(r->ends[moment] < sizeof(to->bytes));
	memcpy(to->bytes, r->bytes, r->ends[moment]);
	to->len = r->ends[moment];
}

static void expect(struct forged *to, const char *why)
{
	char text[256];
	struct fault f = {0};
	struct profile *p;
	int err;

	forge(to, PMT_END, "", 0);
	err = read_bytes(to->bytes, to->len, &p, &f);
	snprintf(text, sizeof(text), "x.pmt is damaged: %s", why);
	if (!err)
		fail_msg("was read, not: %s", why);
	assert_int_equal(err, -EINVAL);
	assert_string_equal(f.text, text);
}

static void expect_good(struct forged *to, const struct profile *as)
{
	struct fault f = {0};
	struct profile *p;

	forge(to, PMT_END, "", 0);
	if (read_bytes(to->bytes, to->len, &p, &f))
		fail_msg("%s", f.text);
	p->end_ns = as->end_ns; /* what the forged end does not say */
	p->names_lost = as->names_lost;
	p->lines_lost = as->lines_lost;
	assert_true(profile_equal(p, as));
	assert_false(p->cut_short);
	profile_free(p);
}

static void frames_and_fields_of_the_future_are_skipped(void **state)
{
	struct recording *r = *state;
	static struct forged x;
	Pmt__Rows rows = PMT__ROWS__INIT;
	uint32_t index = r->at[0]->nr_rows, zero = 0, event = 77;
	Pmt__Cause cause = PMT__CAUSE__INIT, *causes = &cause;
	Pmt__Process process = PMT__PROCESS__INIT;
	struct profile *with = profile_fixture();
	uint64_t figure = 5;
	int64_t time = 0;

	continue_from(&x, r, 0);
	forge(&x, 4711, "anything", 8);
	forge(&x, 0, "", 0);
	/* field 15, a varint; field 2000, 3 bytes */
	forge(&x, PMT_ROWS,
	      "\x78\x05\x82\x7d\x03"
	      "abc",
	      8);
	/* a row of another event; causes of another kind instead of those of the process */
	memset(with->processes[1].causes, 0, sizeof(with->processes[1].causes));
	profile_balance(with);
	rows.base_ns = FIXTURE_BEGIN;
	rows.n_index = rows.n_stack = rows.n_thread = rows.n_event = rows.n_growth = 1;
	rows.n_shrink = rows.n_events = rows.n_first_ns = rows.n_last_ns = 1;
	rows.index = &index;
	rows.stack = rows.thread = &zero;
	rows.event = &event;
	rows.growth = rows.shrink = rows.events = &figure;
	rows.first_ns = rows.last_ns = &time;
	forge_message(&x, PMT_ROWS, &rows);
	forge_message(&x, PMT_ROWS, &rows);
	process.index = 1;
	process.pid = 4300;
	process.command = with->processes[1].command;
	process.python = with->processes[1].python;
	process.rss_before = (uint64_t)with->processes[1].rss_before;
	process.rss_after = (uint64_t)with->processes[1].rss_after;
	process.ended = true;
	cause.cause = 1000;
	cause.growth = 5;
	process.n_cause = 1;
	process.cause = &causes;
	forge_message(&x, PMT_PROCESS, &process);
	expect_good(&x, with);
	profile_free(with);
}

static void lies_about_lengths(void **state)
{
	static const uint32_t lengths[] = {PMT_MAX_PAYLOAD, PMT_MAX_PAYLOAD + 1, 0x7fffffff,
					   0x80000000, 0xffffffff};
	struct recording *r = *state;
	struct fault f = {0};
	struct profile *p;

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		uint32_t len = htole32(lengths[i]);

		memcpy(r->bytes + r->ends[0], &len, sizeof(len));
		assert_int_equal(read_bytes(r->bytes, r->len, &p, &f), 0);
		assert_true(p->cut_short);
		assert_true(profile_equal(p, r->at[0]));
		profile_free(p);
	}
}

static void lies_in_the_head(void **state)
{
	Pmt__Head head = PMT__HEAD__INIT;
	static struct forged x;

	memcpy(x.bytes, PMT_MAGIC "\x01", PMT_START_BYTES);
	x.len = PMT_START_BYTES;
	forge(&x, PMT_MOMENT, "", 0);
	expect(&x, "it does not begin with its head");

	start(&x);
	forge_message(&x, PMT_HEAD, &head);
	expect(&x, "its pages or steps have no size");
	head.page_bytes = 4096;
	head.step_pages = 1;
	head.begin_ns = -1;
	start(&x);
	forge_message(&x, PMT_HEAD, &head);
	expect(&x, "its beginning is no time");
	start(&x);
	forge(&x, PMT_FUNCTIONS, "\xff\xff\xff", 3);
	expect(&x, "a frame is not what it says");
	start(&x);
	forge(&x, PMT_MOMENT, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);
	expect(&x, "its end is no time");
}

static void lies_about_functions_and_stacks(void **state)
{
	uint32_t nr[2] = {1, 1}, functions[200] = {0};
	protobuf_c_boolean truncated[2] = {0, 0};
	Pmt__Functions m = PMT__FUNCTIONS__INIT;
	Pmt__Function f = PMT__FUNCTION__INIT, *both[2] = {&f, &f};
	Pmt__Stacks s = PMT__STACKS__INIT;
	int32_t lines[200] = {0};
	static struct forged x;

	m.function = both;
	s.nr_frames = nr;
	s.truncated = truncated;
	s.function = functions;
	s.line = lines;

	start(&x);
	m.n_function = 2;
	forge_message(&x, PMT_FUNCTIONS, &m);
	expect(&x, "a function comes twice");
	m.n_function = 1;
#define STACKS(nr_stacks, nr_flags, nr_functions, nr_lines, why) \
	do {                                                     \
		s.n_nr_frames = (nr_stacks);                     \
		s.n_truncated = (nr_flags);                      \
		s.n_function = (nr_functions);                   \
		s.n_line = (nr_lines);                           \
		start(&x);                                       \
		forge_message(&x, PMT_FUNCTIONS, &m);            \
		forge_message(&x, PMT_STACKS, &s);               \
		expect(&x, why);                                 \
	} while (0)
	STACKS(1, 2, 1, 1, "columns of stacks differ in length");
	STACKS(1, 1, 2, 1, "columns of stacks differ in length");
	STACKS(1, 1, 2, 2, "frames belong to no stack");
	STACKS(2, 2, 2, 2, "a stack comes twice");
	STACKS(2, 2, 1, 1, "a stack has no frames, too many, or fewer than it says");
	nr[0] = 0;
	STACKS(1, 1, 1, 1, "a stack has no frames, too many, or fewer than it says");
	nr[0] = PROFILE_MAX_FRAMES + 1;
	STACKS(1, 1, 128, 128, "a stack has no frames, too many, or fewer than it says");
	nr[0] = UINT32_MAX;
	STACKS(1, 1, 128, 128, "a stack has no frames, too many, or fewer than it says");
	nr[0] = 1;
	functions[0] = 1;
	STACKS(1, 1, 1, 1, "a stack has a function that there is not");
	functions[0] = UINT32_MAX;
	STACKS(1, 1, 1, 1, "a stack has a function that there is not");
#undef STACKS
}

static void lies_about_threads_and_processes(void **state)
{
	struct recording *r = *state;
	Pmt__Threads threads = PMT__THREADS__INIT;
	Pmt__Thread t = PMT__THREAD__INIT, *both[2] = {&t, &t};
	Pmt__Cause cause = PMT__CAUSE__INIT, *causes = &cause;
	Pmt__Process process = PMT__PROCESS__INIT;
	static struct forged x;

	threads.thread = both;
	threads.n_thread = 1;
	start(&x);
	forge_message(&x, PMT_THREADS, &threads);
	expect(&x, "a thread has no PID");
	t.pid = 1;
	t.tid = 1u << 31;
	start(&x);
	forge_message(&x, PMT_THREADS, &threads);
	expect(&x, "a thread has no PID");
	t.tid = 1;
	threads.n_thread = 2;
	start(&x);
	forge_message(&x, PMT_THREADS, &threads);
	expect(&x, "a thread comes twice");

#define PROCESS(why)                                      \
	do {                                              \
		continue_from(&x, r, 0);                  \
		forge_message(&x, PMT_PROCESS, &process); \
		expect(&x, why);                          \
	} while (0)
	PROCESS("a process has no PID");
	process.pid = 4300;
	PROCESS("a process changes its PID");
	process.index = 2;
	PROCESS("a process comes twice");
	process.index = 3;
	PROCESS("a process is out of order");
	process.index = UINT32_MAX;
	PROCESS("a process is out of order");
	process.index = 1;
	process.rss_after = PMT_MAX_FIGURE + 1;
	PROCESS("a process is impossibly large");
	process.rss_after = 0;
	process.n_cause = 1;
	process.cause = &causes;
	cause.shrink = UINT64_MAX;
	PROCESS("a cause has impossible figures");
#undef PROCESS
}

static void too_many_processes_are_refused(void **state)
{
	struct profile *p;
	struct fault f = {0};
	Pmt__Process process = PMT__PROCESS__INIT;
	static struct forged x;
	char *bytes;
	size_t len;
	FILE *out = open_memstream(&bytes, &len);

	start(&x);
	for (uint32_t i = 0; i <= PMT_MAX_PROCESSES; i++) {
		process.index = i;
		process.pid = i + 1;
		forge_message(&x, PMT_PROCESS, &process);
		fwrite(x.bytes, 1, x.len, out);
		x.len = 0;
	}
	forge(&x, PMT_END, "", 0);
	fwrite(x.bytes, 1, x.len, out);
	fclose(out);
	assert_int_equal(read_bytes(bytes, len, &p, &f), -EINVAL);
	assert_string_equal(f.text, "x.pmt is damaged: a process is out of order");
	free(bytes);
}

static void lies_about_rows(void **state)
{
	struct recording *r = *state;
	Pmt__Rows m = PMT__ROWS__INIT;
	uint32_t nr = r->at[0]->nr_rows, index = nr, stack = 1, thread = 0, event = 0;
	uint64_t growth = 1, shrink = 1, events = 1;
	int64_t first = 0, last = 0;
	static struct forged x;

	m.base_ns = FIXTURE_BEGIN;
	m.n_index = m.n_stack = m.n_thread = m.n_event = m.n_growth = 1;
	m.n_shrink = m.n_events = m.n_first_ns = m.n_last_ns = 1;
	m.index = &index;
	m.stack = &stack;
	m.thread = &thread;
	m.event = &event;
	m.growth = &growth;
	m.shrink = &shrink;
	m.events = &events;
	m.first_ns = &first;
	m.last_ns = &last;
#define ROWS(why)                                \
	do {                                     \
		continue_from(&x, r, 0);         \
		forge_message(&x, PMT_ROWS, &m); \
		expect(&x, why);                 \
	} while (0)
#define ROWS_WITH(set, unset, why) \
	do {                       \
		set;               \
		ROWS(why);         \
		unset;             \
	} while (0)
	ROWS_WITH(m.n_last_ns = 0, m.n_last_ns = 1, "columns of rows differ in length");
	ROWS_WITH(m.n_stack = 0, m.n_stack = 1, "columns of rows differ in length");
	ROWS_WITH(index = nr + 1, index = nr, "a row is out of order");
	ROWS_WITH(index = UINT32_MAX, index = nr, "a row is out of order");
	ROWS_WITH(index = 0, index = nr, "a row changes what it is of");
	ROWS_WITH(stack = r->at[0]->nr_stacks, stack = 1,
		  "a row has a stack or thread that there is not");
	ROWS_WITH(thread = UINT32_MAX, thread = 0, "a row has a stack or thread that there is not");
	ROWS_WITH(stack = 0, stack = 1, "a row comes twice");
	ROWS_WITH(growth = PMT_MAX_FIGURE + 1, growth = 1, "a row has impossible figures");
	ROWS_WITH(shrink = UINT64_MAX, shrink = 1, "a row has impossible figures");
	ROWS_WITH(events = UINT64_MAX, events = 1, "a row has impossible figures");
	ROWS_WITH(first = INT64_MAX, first = 0, "a row has no time");
	ROWS_WITH(last = INT64_MIN, last = 0, "a row has no time");
	ROWS_WITH(m.base_ns = -1, m.base_ns = FIXTURE_BEGIN, "a row has no time");
#undef ROWS_WITH
#undef ROWS
}

static void lies_about_arenas(void **state)
{
	struct recording *r = *state;
	Pmt__Arenas m = PMT__ARENAS__INIT;
	Pmt__Arena a = PMT__ARENA__INIT, *one = &a;
	struct profile *p = profile_fixture();
	static struct forged x;

	m.total = 3;
	m.n_arena = 1;
	m.arena = &one;
#define ARENA(why)                                 \
	do {                                       \
		continue_from(&x, r, 0);           \
		forge_message(&x, PMT_ARENAS, &m); \
		expect(&x, why);                   \
	} while (0)
	ARENA("an arena has impossible figures");
	a.pid = 4242;
	a.index = 4;
	ARENA("an arena is out of order");
	m.total = 0;
	a.index = 1;
	ARENA("an arena is out of order");
	m.total = 3;
	a.stack_plus_1 = p->nr_stacks + 1;
	ARENA("an arena has a stack or thread that there is not");
	a.stack_plus_1 = 0;
	a.thread_plus_1 = UINT32_MAX;
	ARENA("an arena has a stack or thread that there is not");
	a.thread_plus_1 = 0;
	a.bytes = UINT64_MAX;
	ARENA("an arena has impossible figures");
#undef ARENA
	/* more in use than there is: a torn reading, no lie */
	a.bytes = 4096;
	a.used_bytes = UINT64_MAX;
	a.pools = 1;
	a.free_pools = UINT32_MAX;
	p->arenas[1] = (struct profile_arena){.pid = 4242,
					      .bytes = 4096,
					      .used_bytes = 4096,
					      .pools = 1,
					      .free_pools = 1,
					      .stack = PROFILE_NONE,
					      .thread = PROFILE_NONE};
	continue_from(&x, r, 0);
	forge_message(&x, PMT_ARENAS, &m);
	expect_good(&x, p);
	profile_free(p);
}

/* Each is possible, their sum would overflow. */
static void impossible_sums_are_refused(void **state)
{
	struct recording *r = *state;
	Pmt__Arenas m = PMT__ARENAS__INIT;
	Pmt__Arena a = PMT__ARENA__INIT, *one = &a;
	static struct forged x;

	continue_from(&x, r, 0);
	m.n_arena = 1;
	m.arena = &one;
	a.pid = 4242;
	a.bytes = PMT_MAX_FIGURE;
	for (a.index = 3; a.index < 300; a.index++) {
		m.total = a.index + 1;
		forge_message(&x, PMT_ARENAS, &m);
	}
	expect(&x, "its figures are impossible together");
}

/* A cut file may have rows of a process that was not asked yet. */
static void processes_that_are_missing_are_added(void **state)
{
	struct recording *r = *state;
	Pmt__Threads threads = PMT__THREADS__INIT;
	Pmt__Thread t[2] = {PMT__THREAD__INIT, PMT__THREAD__INIT}, *both[2] = {&t[0], &t[1]};
	struct profile *with = profile_fixture();
	static struct forged x;

	threads.thread = both;
	threads.n_thread = 2;
	t[0].pid = t[1].pid = 4299;
	t[0].tid = 4299;
	t[1].tid = 4301;
	fixture_thread(with, 4299, 4299, "");
	fixture_thread(with, 4299, 4301, "");
	fixture_process(with, 4299, "", "");
	continue_from(&x, r, 0);
	forge_message(&x, PMT_THREADS, &threads);
	expect_good(&x, with);
	profile_free(with);
}

static void names_become_valid(void **state)
{
	static struct forged x;
	Pmt__Functions m = PMT__FUNCTIONS__INIT;
	Pmt__Function f = PMT__FUNCTION__INIT, *one = &f;
	struct fault fault = {0};
	struct profile *p;

	m.n_function = 1;
	m.function = &one;
	f.name = "a\xff\xc3\xbc\xed\xa0\x80\xc2\x85z\xe2\x82";
	f.file = "\xc0\xaf";
	f.kind = 99;
	start(&x);
	forge_message(&x, PMT_FUNCTIONS, &m);
	forge(&x, PMT_END, "", 0);
	assert_int_equal(read_bytes(x.bytes, x.len, &p, &fault), 0);
	assert_string_equal(p->functions[0].name, "a?\xc3\xbc???\xc2\x85z??");
	assert_string_equal(p->functions[0].file, "??");
	assert_int_equal(p->functions[0].kind, PROFILE_PYTHON);
	profile_free(p);
}

/* --- the writer ------------------------------------------------------------------------------ */

static void what_did_not_change_costs_a_moment(void **state)
{
	struct profile *p = profile_fixture();
	struct fault f = {0};
	struct sink s = {0};
	struct pmt_writer *w;
	size_t len, first;
	char *bytes;

	s.f = open_memstream(&bytes, &len);
	w = pmt_writer_new(&s);
	assert_int_equal(pmt_writer_update(w, p, &f), 0);
	first = len;
	p->end_ns += SECOND;
	assert_int_equal(pmt_writer_update(w, p, &f), 0);
	assert_true(len - first <= sizeof(struct pmt_frame) + 16);
	/* one row grew: a row, and the process that it belongs to */
	first = len;
	p->end_ns += SECOND;
	fixture_row(p, 1, 1, PROFILE_RSS, 4096, 0, 12);
	assert_int_equal(pmt_writer_update(w, p, &f), 0);
	assert_in_range(len - first, sizeof(struct pmt_frame) * 2 + 20,
			sizeof(struct pmt_frame) * 2 + 80);
	fclose(s.f);
	pmt_writer_free(w);
	profile_free(p);
	free(bytes);
}

/* One moment for each 1 % of the length. */
static void long_recordings_have_fewer_moments(void **state)
{
	struct profile *p = profile_fixture();
	struct fault f = {0};
	struct sink s = {0};
	struct pmt_writer *w;
	size_t len, before = 0;
	unsigned int moments = 0;
	char *bytes;

	s.f = open_memstream(&bytes, &len);
	w = pmt_writer_new(&s);
	for (int second = 1; second <= 86400; second++) {
		p->end_ns = p->begin_ns + second * SECOND;
		assert_int_equal(pmt_writer_update(w, p, &f), 0);
		moments += len != before;
		before = len;
		if (second == 100)
			assert_int_equal(moments, 100);
	}
	assert_in_range(moments, 600, 900);
	/* the end is always written; so is what comes after the clock was set back */
	p->end_ns = p->begin_ns + 86400 * SECOND + 1;
	assert_int_equal(pmt_writer_update(w, p, &f), 0);
	assert_true(len == before);
	p->end_ns = p->begin_ns + 1000 * SECOND;
	assert_int_equal(pmt_writer_update(w, p, &f), 0);
	assert_true(len > before);
	before = len;
	assert_int_equal(pmt_writer_end(w, p, &f), 0);
	assert_true(len > before);
	fclose(s.f);
	pmt_writer_free(w);
	profile_free(p);
	free(bytes);
}

/* More of everything than goes into one frame, with the longest stacks. */
static void large_profiles_are_cut_into_frames(void **state)
{
	struct profile *p = profile_fixture(), *q;
	struct profile_frame frames[PROFILE_MAX_FRAMES];
	_cleanup_free_ char *name = malloc(400 << 10), *command = malloc(3 << 20);
	struct fault f = {0};
	struct sink s = {0};
	struct pmt_writer *w;
	char *bytes;
	size_t len;

	/* the names of two are together more than a frame holds */
	memset(name, 'n', 400 << 10);
	name[(400 << 10) - 1] = 0;
	fixture_function(p, PROFILE_PYTHON, name, "a", 0);
	fixture_function(p, PROFILE_PYTHON, name, "b", 0);
	for (int i = 0; i < 3000; i++) {
		uint32_t stack;

		fixture_thread(p, 4242, 10000 + i, "thread of many");
		fixture_function(p, PROFILE_PYTHON, "f", "many", i);
		for (int j = 0; j < PROFILE_MAX_FRAMES; j++)
			frames[j] = (struct profile_frame){p->nr_functions - 1, -i - j};
		fixture_check(profile_add_stack(p, frames, PROFILE_MAX_FRAMES, false, &stack));
		fixture_row(p, stack, p->nr_threads - 1, PROFILE_RSS, i, 3000 - i, i);
		fixture_check(profile_add_arena(
			p, &(struct profile_arena){.pid = 4242,
						   .address = UINT64_MAX - (uint64_t)i,
						   .bytes = 1 << 20,
						   .stack = stack,
						   .thread = PROFILE_NONE}));
	}
	/* a command line that ends, where it is cut, within a character */
	memset(command, 'x', 3 << 20);
	memcpy(command + (64 << 10) - 1, "\xc3\xbc", 2);
	command[(3 << 20) - 1] = 0;
	free(p->processes[0].command);
	p->processes[0].command = steal_ptr(command);
	profile_balance(p);

	s.f = open_memstream(&bytes, &len);
	w = pmt_writer_new(&s);
	assert_int_equal(pmt_writer_update(w, p, &f), 0);
	for (uint32_t i = 0; i < p->nr_rows; i++)
		p->rows[i].change.growth += 7;
	p->nr_arenas = 1; /* all but the first went, and 2000 came */
	for (int i = 0; i < 2000; i++)
		fixture_check(
			profile_add_arena(p, &(struct profile_arena){.pid = 4300,
								     .address = (uint64_t)i << 20,
								     .bytes = 1 << 20,
								     .stack = PROFILE_NONE,
								     .thread = PROFILE_NONE}));
	profile_balance(p);
	p->end_ns += SECOND;
	assert_int_equal(pmt_writer_update(w, p, &f), 0);
	p->nr_arenas = 0;
	assert_int_equal(pmt_writer_end(w, p, &f), 0);
	fclose(s.f);
	for (size_t at = PMT_START_BYTES; at < len; at = frame_end(bytes, at))
		assert_true(frame_end(bytes, at) - at <=
			    PMT_MAX_PAYLOAD + sizeof(struct pmt_frame));
	assert_int_equal(read_bytes(bytes, len, &q, &f), 0);
	assert_int_equal(strlen(q->processes[0].command), (64 << 10) - 1);
	p->processes[0].command[(64 << 10) - 1] = 0;
	assert_true(profile_equal(p, q));
	pmt_writer_free(w);
	profile_free(p);
	profile_free(q);
	free(bytes);
}

static void a_name_longer_than_a_frame_is_a_fault(void **state)
{
	struct profile *p = profile_fixture(), *q;
	_cleanup_free_ char *name = malloc(2 << 20);
	struct fault f = {0};
	struct sink s = {0};
	struct pmt_writer *w;
	char *bytes;
	size_t len;

	s.f = open_memstream(&bytes, &len);
	w = pmt_writer_new(&s);
	assert_int_equal(pmt_writer_update(w, p, &f), 0);
	memset(name, 'n', 2 << 20);
	name[(2 << 20) - 1] = 0;
	fixture_function(p, PROFILE_PYTHON, name, "", 0);
	p->end_ns += SECOND;
	assert_int_equal(pmt_writer_update(w, p, &f), -E2BIG);
	assert_int_equal(pmt_writer_end(w, p, &f), -E2BIG);
	fclose(s.f);
	assert_int_equal(read_bytes(bytes, len, &q, &f), 0);
	assert_true(q->cut_short);
	pmt_writer_free(w);
	profile_free(p);
	profile_free(q);
	free(bytes);
}

/* A limit of the size stands for a full disk, at every byte of a recording. */
static void a_full_disk_leaves_what_fits(void **state)
{
	struct recording *r = *state;
	char path[] = "/tmp/pmt-recording-XXXXXX";
	struct rlimit before;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	for (size_t room = r->head_end; room < r->len; room += 7) {
		struct profile *p = profile_fixture(), *q;
		struct fault f = {0};
		struct pmt_writer *w;
		unsigned int failures = 0;
		struct sink s;
		FILE *in;

		assert_int_equal(sink_open_growing(&s, path, true, &f), 0);
		w = pmt_writer_new(&s);
		setrlimit(RLIMIT_FSIZE, &(struct rlimit){room, before.rlim_max});
		for (int i = 0; i < MOMENTS; i++) {
			if (i)
				profile_fixture_grow(p, i);
			if (i == MOMENTS - 1 ? pmt_writer_end(w, p, &f)
					     : pmt_writer_update(w, p, &f)) {
				failures++;
				assert_int_equal(f.err, EFBIG);
			}
		}
		setrlimit(RLIMIT_FSIZE, &before);
		assert_true(failures > 0);
		assert_true(sink_commit(&s, &f) < 0);
		in = fopen(path, "re");
		assert_int_equal(pmt_read(in, "x.pmt", &q, &f), 0);
		fclose(in);
		assert_true(q->cut_short);
		if (room >= r->ends[0])
			assert_true(profile_equal(q, r->at[room < r->ends[1] ? 0 : 1]));
		pmt_writer_free(w);
		profile_free(p);
		profile_free(q);
	}
	unlink(path);
}

/* Moments until the disk is full; returns how many. */
static int fill(const char *path)
{
	struct profile *p = profile_fixture();
	struct fault f = {0};
	struct pmt_writer *w;
	struct sink s;
	int steps = 0;

	assert_int_equal(sink_open_growing(&s, path, false, &f), 0);
	w = pmt_writer_new(&s);
	while (!pmt_writer_update(w, p, &f)) {
		assert_true(steps < 100);
		profile_fixture_grow(p, ++steps);
	}
	assert_int_equal(f.err, ENOSPC);
	assert_true(pmt_writer_end(w, p, &f) < 0);
	assert_int_equal(sink_commit(&s, &f), -ENOSPC);
	pmt_writer_free(w);
	profile_free(p);
	return steps;
}

/* In a mount namespace of its own, which a child has. */
static void a_full_file_system_leaves_what_fits(void **state)
{
	char dir[] = "/tmp/pmt-full-XXXXXX", path[64];
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/x.pmt", dir);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct fault f = {0};
		struct profile *p, *as;
		int steps;

		if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount("none", dir, "tmpfs", 0, "size=8k"))
			_exit(77);
		steps = fill(path);
		if (steps < 2 || pmt_read(fopen(path, "re"), "x.pmt", &p, &f))
			_exit(1);
		as = profile_after(steps - 1);
		_exit(p->cut_short && profile_equal(p, as) ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	rmdir(dir);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_killed_writer_leaves_its_moments(void **state)
{
	char dir[] = "/tmp/pmt-killed-XXXXXX", path[64], byte;
	struct fault f = {0};
	struct profile *p;
	int fds[2], steps = 0;
	pid_t pid;
	FILE *in;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/x.pmt", dir);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct pmt_writer *w;
		struct sink s;

		p = profile_fixture();
		if (sink_open_growing(&s, path, false, &f))
			_exit(1);
		w = pmt_writer_new(&s);
		for (;;) { /* tells each moment, until it is killed */
			if (pmt_writer_update(w, p, &f) || write(fds[1], "", 1) != 1)
				_exit(1);
			profile_fixture_grow(p, ++steps);
		}
	}
	close(fds[1]);
	for (int i = 0; i < 3; i++)
		assert_int_equal(read(fds[0], &byte, 1), 1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	while (read(fds[0], &byte, 1) == 1)
		;
	close(fds[0]);

	in = fopen(path, "re");
	assert_int_equal(pmt_read(in, "x.pmt", &p, &f), 0);
	fclose(in);
	assert_true(p->cut_short);
	steps = (int)((p->end_ns - FIXTURE_BEGIN) / SECOND) - 10;
	assert_true(steps >= 2);
	{
		struct profile *as = profile_after(steps);

		assert_true(profile_equal(p, as));
		profile_free(as);
	}
	profile_free(p);
	unlink(path);
	rmdir(dir);
}

static void a_folder_is_a_fault(void **state)
{
	struct fault f = {0};
	struct profile *p;
	FILE *in = fopen("/tmp", "re");

	assert_non_null(in);
	assert_int_equal(pmt_read(in, "/tmp", &p, &f), -EISDIR);
	assert_string_equal(f.text, "/tmp: Is a directory");
	fclose(in);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_field_comes_back),
		TEST(the_comparison_is_of_every_field),
		TEST(extreme_numbers_come_back),
		TEST(an_empty_profile_comes_back),
		TEST(cut_at_every_byte_it_is_its_beginning),
		TEST(a_changed_bit_ends_it),
		TEST(what_is_no_recording_is_told_apart),
		TEST(what_comes_after_the_end_is_not_read),
		TEST(frames_and_fields_of_the_future_are_skipped),
		TEST(lies_about_lengths),
		TEST(lies_in_the_head),
		TEST(lies_about_functions_and_stacks),
		TEST(lies_about_threads_and_processes),
		TEST(too_many_processes_are_refused),
		TEST(lies_about_rows),
		TEST(lies_about_arenas),
		TEST(impossible_sums_are_refused),
		TEST(processes_that_are_missing_are_added),
		TEST(names_become_valid),
		TEST(what_did_not_change_costs_a_moment),
		TEST(long_recordings_have_fewer_moments),
		TEST(large_profiles_are_cut_into_frames),
		TEST(a_name_longer_than_a_frame_is_a_fault),
		TEST(a_full_disk_leaves_what_fits),
		TEST(a_full_file_system_leaves_what_fits),
		TEST(a_killed_writer_leaves_its_moments),
		TEST(a_folder_is_a_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
