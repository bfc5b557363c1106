/* SPDX-License-Identifier: MIT */
/*
 * Explanations at random, also such as no process can have: whatever they say, the verdict contradicts
 * neither them nor itself, and its texts are whole sentences of plain ASCII.
 */
#include "verdict_fixture.h"

#include "base/text.h"

#define ROUNDS 200000

static uint64_t seed = 20231115;

static uint64_t random_below(uint64_t n)
{
	/* xorshift64 */
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return n ? seed % n : 0;
}

static bool coin(unsigned int one_in)
{
	return random_below(one_in) == 0;
}

static uint64_t magnitude;

/* Of any magnitude up to that of the process. */
static uint64_t random_bytes(void)
{
	return random_below(1ull << (12 + random_below(magnitude)));
}

static void random_text(char *to, size_t size)
{
	static const char *const pieces[] = {"the chunk at 0x7ffff7a40010 of arena 0x7ffff0000030 ",
					     "is on two lists",
					     "\303\244",
					     "\033[31m",
					     "pid 4711: ",
					     "libjemalloc.so.2",
					     ".",
					     " ",
					     "%s%n",
					     "\377\376"};
	size_t nr = random_below(14);

	to[0] = 0;
	for (size_t i = 0; i < nr; i++)
		/* may be cut anywhere, as those who fill it may */
		snprintf(to + strlen(to), size - strlen(to), "%s",
			 pieces[random_below(ARRAY_SIZE(pieces))]);
}

static void random_rows(struct scene *s)
{
	for (unsigned int k = 0; k < MEMORY_KINDS; k++) {
		struct explanation_row *r;

		if (coin(3))
			continue;
		r = scene_row(s, k, random_bytes());
		r->huge = coin(4) ? random_below(r->bytes + 1) : 0;
		r->exclusive = coin(4) ? random_below(r->bytes + 1) : r->bytes;
	}
}

static void random_pools(struct pool_stats *p, uint64_t total)
{
	p->arenas = random_below(10000);
	p->arena_bytes = coin(2) ? MIB(1) : KIB(256);
	p->pools_used = random_below(1000000);
	p->sparse_pools = random_below(p->pools_used + 1);
	p->sparse_blocks = random_below(100000000);
	p->sparse_live_bytes = random_bytes();
	p->sparse_resident = random_bytes();
	p->returned_bytes = random_below(total + 1);
	p->live_blocks = random_below(1000000000);
	p->pools_lost = coin(8);
}

static void random_heap(struct heap_stats *h)
{
	h->arenas = 1 + (uint32_t)random_below(40);
	h->exact = !coin(5);
	h->fsmblks = coin(2) ? random_bytes() : 0;
	h->hblks = random_below(10000);
	h->mmap_threshold = coin(2) ? KIB(128) : random_below(MIB(32));
	h->trim_threshold = coin(2) ? KIB(128) : 2 * h->mmap_threshold;
	h->thresholds_grew = h->mmap_threshold > KIB(128) && !coin(3);
	h->thp_bytes = coin(8) ? MIB(2) : 0;
	h->largest_free = random_bytes();
	for (int i = 0; i < HEAP_PINS; i++) {
		h->trim_pinned[i] = coin(2) ? 0 : random_bytes();
		h->trim_bytes += h->trim_pinned[i];
	}
	h->trim_large = random_below(h->trim_bytes + 1);
	h->trim_top = coin(2) ? 0 : random_bytes();
	h->trim_bytes += h->trim_top;
	random_text(h->why_not, sizeof(h->why_not));
}

static void random_scene(struct scene *s)
{
	struct explanation *e = &s->e;

	memset(s, 0, sizeof(*s));
	e->rows = s->rows;
	magnitude = 8 + random_below(22);
	random_rows(s);
	e->python.version_hex = coin(5) ? 0 : 0x03060000 + (uint32_t)random_below(10) * 0x10000;
	e->threads = (uint32_t)random_below(2000);
	e->kernel.shared = coin(2) ? 0 : random_bytes();
	e->kernel.pss = random_below(e->total + 1);
	e->parent_anon = coin(2) ? 0 : random_bytes();
	e->kernel.swap = coin(3) ? random_bytes() : 0;
	e->kernel.hugetlb = coin(3) ? random_bytes() : 0;
	e->has_pools = e->python.version_hex && !coin(4);
	e->has_heap = !coin(4);
	if (e->has_pools)
		random_pools(&e->pools, e->total);
	else
		random_text(e->pools_why, sizeof(e->pools_why));
	if (e->has_heap)
		random_heap(&e->heap);
	else
		random_text(e->heap_why, sizeof(e->heap_why));
	if (coin(2))
		random_text(e->library_mallocs, sizeof(e->library_mallocs));
	strcpy(e->malloc, e->has_heap ? "glibc" : coin(2) ? "jemalloc" : "");
	e->approximate = (e->has_heap && !e->heap.exact) || coin(10);
}

static uint64_t row_bytes(const struct scene *s, enum memory_kind kind)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->e.nr_rows; i++)
		sum += s->rows[i].kind == kind ? s->rows[i].bytes : 0;
	return sum;
}

/* "Xyz ... ." or "xyz ... .", nothing left open. */
static void assert_text(const char *text)
{
	size_t len = strnlen(text, VERDICT_TEXT);
	int depth = 0;

	assert_in_range(len, 10, VERDICT_TEXT - 1);
	assert_int_equal(text[len - 1], '.');
	for (size_t i = 0; i < len; i++) {
		assert_in_range((unsigned char)text[i], ' ', '~');
		depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
		assert_in_range(depth, 0, 1);
	}
	assert_int_equal(depth, 0);
	assert_null(strstr(text, "nan"));
	assert_null(strstr(text, "  "));
}

static bool found(const struct scene *s, enum finding finding)
{
	for (size_t i = 0; i < s->v.nr_sentences; i++)
		if (s->v.sentences[i].finding == finding)
			return true;
	return false;
}

static void check_sentences(const struct scene *s)
{
	const struct explanation *e = &s->e;
	uint64_t sum = 0, last = UINT64_MAX;

	assert_in_range(s->v.nr_sentences, 1, VERDICT_MAX);
	for (size_t i = 0; i < s->v.nr_sentences; i++) {
		const struct verdict_sentence *v = &s->v.sentences[i];

		assert_text(v->text);
		assert_true(v->bytes <= last);
		last = v->bytes;
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(s->v.sentences[k].finding, v->finding);
		if (v->finding == FINDING_SWAPPED) {
			assert_int_equal(v->bytes, e->kernel.swap);
			continue;
		}
		if (v->finding == FINDING_HUGETLB) {
			assert_int_equal(v->bytes, e->kernel.hugetlb);
			continue;
		}
		assert_true(v->bytes <= e->total);
		/* the shared and copied memory is counted where it is used, too */
		if (v->finding != FINDING_COPIED)
			sum += v->bytes;
	}
	assert_true(sum <= e->total);
	assert_int_equal(found(s, FINDING_SMALL) ? s->v.nr_sentences : 1, 1);
	assert_false(found(s, FINDING_HEAP_FREE) && found(s, FINDING_THRESHOLD_GREW));
	assert_true(!found(s, FINDING_THRESHOLD_GREW) || e->heap.thresholds_grew);
	assert_true(!found(s, FINDING_COPIED) || e->kernel.shared);
	assert_true(!found(s, FINDING_HEAP_UNKNOWN) || row_bytes(s, MEMORY_HEAP_UNKNOWN));
	assert_true(!found(s, FINDING_OTHER_MALLOC) || row_bytes(s, MEMORY_OTHER_MALLOC));
}

/* What it says of bytes is what the figure is. */
static void assert_figure(const struct verdict_remedy *r)
{
	char size[24];

	text_size(size, (int64_t)r->bytes, false);
	assert_non_null(strstr(r->text, size));
	assert_true(!strstr(r->text, "up to") == r->exact);
}

static void check_remedy(const struct scene *s, const struct verdict_remedy *r)
{
	const struct explanation *e = &s->e;
	bool heap_known = e->has_heap && !row_bytes(s, MEMORY_HEAP_UNKNOWN);

	assert_text(r->text);
	assert_true(r->bytes <= e->total);
	if (r->remedy == REMEDY_NOTHING) {
		assert_int_equal(s->v.nr_remedies, 1);
		assert_int_equal(r->bytes, 0);
	} else {
		assert_figure(r);
	}
	/* no figure of a heap that was not read, or not all of it */
	if (!heap_known || !e->heap.exact || e->approximate)
		assert_null(strstr(r->text, "malloc_trim(0) would"));
	switch (r->remedy) {
	case REMEDY_FREE_SURVIVORS:
		assert_true(e->has_pools && r->bytes <= e->pools.returned_bytes);
		break;
	case REMEDY_TRIM:
		assert_true(heap_known && r->bytes <= e->heap.trim_bytes);
		break;
	case REMEDY_ARENA_MAX:
		assert_true(heap_known && e->heap.arenas > 2);
		assert_non_null(strstr(r->text, "if the threads peak at different times"));
		break;
	case REMEDY_MMAP_THRESHOLD:
		assert_true(heap_known && e->heap.mmap_threshold > KIB(16));
		break;
	case REMEDY_TRIM_THRESHOLD:
		assert_true(heap_known && e->heap.trim_top);
		assert_true(e->heap.trim_threshold > KIB(128));
		break;
	case REMEDY_FREEZE:
		assert_true(found(s, FINDING_COPIED) && e->python.version_hex >= 0x03070000);
		assert_true(r->bytes <= e->parent_anon);
		break;
	case REMEDY_NOTHING:
	case REMEDIES:
		break;
	}
	assert_true(r->remedy < REMEDIES);
	if (e->approximate)
		assert_true(!r->exact || r->remedy == REMEDY_NOTHING);
}

static void test_random(void **state)
{
	uint64_t findings = 0, remedies = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct scene s;
		size_t now = 0;

		random_scene(&s);
		memset(&s.v, 0x7f, sizeof(s.v));
		scene_judge(&s);
		check_sentences(&s);
		assert_in_range(s.v.nr_remedies, 1, REMEDY_MAX);
		for (size_t k = 0; k < s.v.nr_remedies; k++) {
			const struct verdict_remedy *r = &s.v.remedies[k];

			check_remedy(&s, r);
			remedies |= 1ull << r->remedy;
			/* what can be done at once comes first */
			now += r->remedy == REMEDY_FREE_SURVIVORS || r->remedy == REMEDY_TRIM;
			assert_true(now == k + 1 || r->remedy > REMEDY_TRIM);
			if (k && k != now)
				assert_true(r->bytes <= s.v.remedies[k - 1].bytes);
			for (size_t n = 0; n < k; n++)
				assert_int_not_equal(s.v.remedies[n].remedy, r->remedy);
		}
		for (size_t k = 0; k < s.v.nr_sentences; k++)
			findings |= 1ull << s.v.sentences[k].finding;
	}
	/* each was among them */
	assert_int_equal(findings, (1ull << FINDINGS) - 1);
	assert_int_equal(remedies, (1ull << REMEDIES) - 1);
}

/* The longest texts there can be. */
static void test_longest(void **state)
{
	for (unsigned int k = 0; k < MEMORY_KINDS; k++) {
		struct scene s;

		memset(&s, 0, sizeof(s));
		s.e.rows = s.rows;
		scene_row(&s, k, UINT64_MAX / 4)->huge = UINT64_MAX / 8;
		s.rows[0].exclusive = s.rows[0].bytes / 2 - 1;
		s.e.kernel.shared = UINT64_MAX / 8;
		s.e.kernel.pss = UINT64_MAX / 4;
		s.e.threads = UINT32_MAX;
		s.e.approximate = true;
		memset(s.e.pools_why, 'w', sizeof(s.e.pools_why) - 1);
		memset(s.e.heap_why, 'h', sizeof(s.e.heap_why) - 1);
		memset(s.e.library_mallocs, 'm', sizeof(s.e.library_mallocs) - 1);
		for (unsigned int shape = 0; shape < 16; shape++) {
			s.e.has_pools = shape & 1;
			s.e.has_heap = shape & 2;
			s.e.python.version_hex = s.e.has_pools ? 0x030c0000 : 0;
			memset(&s.e.pools, s.e.has_pools ? 0x3f : 0, sizeof(s.e.pools));
			memset(&s.e.heap, s.e.has_heap ? 0x0f : 0, sizeof(s.e.heap));
			s.e.heap.exact = s.e.has_heap;
			s.e.heap.thresholds_grew = shape & 4;
			s.e.heap.thp_bytes = shape & 8 ? MIB(2) : 0;
			memset(s.e.heap.why_not, 'x', sizeof(s.e.heap.why_not));
			s.e.heap.why_not[sizeof(s.e.heap.why_not) - 1] = 0;
			scene_judge(&s);
			for (size_t i = 0; i < s.v.nr_sentences; i++)
				assert_text(s.v.sentences[i].text);
			for (size_t i = 0; i < s.v.nr_remedies; i++)
				assert_text(s.v.remedies[i].text);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
