/* SPDX-License-Identifier: MIT */
/*
 * Which sentences: every finding is measured in bytes, and those that are a notable part of RSS are said,
 * the largest first. Each byte is in one finding, but for those of a forked child and of swap, which look
 * at the same bytes from another side, or at none.
 */
#include "model/verdict_internal.h"

#include "base/cleanup.h"

#include <string.h>

/* Below this nothing but a real waste is told. */
#define SMALL_BYTES (32ull << 20)
/* What any process has is told beside a cause only where it is this much of RSS. */
#define USUAL_PERCENT 25

struct kind_sum facts_sum(const struct facts *f, enum memory_kind first, enum memory_kind last)
{
	struct kind_sum sum = {0};

	for (unsigned int k = first; k <= last; k++) {
		sum.bytes += f->kinds[k].bytes;
		sum.huge += f->kinds[k].huge;
		sum.exclusive += f->kinds[k].exclusive;
	}
	return sum;
}

bool facts_notable(const struct facts *f, uint64_t bytes)
{
	return bytes >= NOTABLE_BYTES && bytes >= f->total / 100 * NOTABLE_PERCENT;
}

bool verdict_has(const struct verdict *v, enum finding finding)
{
	for (size_t i = 0; i < v->nr_sentences; i++)
		if (v->sentences[i].finding == finding)
			return true;
	return false;
}

static void gather(const struct explanation *e, struct facts *f)
{
	const struct pool_stats *p = &e->pools;
	uint64_t pinned;

	*f = (struct facts){.e = e, .total = e->total};
	for (size_t i = 0; i < e->nr_rows; i++) {
		const struct explanation_row *r = &e->rows[i];
		struct kind_sum *k = &f->kinds[r->kind < MEMORY_KINDS ? r->kind : MEMORY_ANONYMOUS];

		k->bytes += r->bytes;
		k->huge += r->huge;
		k->exclusive += r->exclusive;
	}
	f->heap_known = e->has_heap && !f->kinds[MEMORY_HEAP_UNKNOWN].bytes;
	/* top goes in units of huge pages then, how many depends on where it lies */
	f->trim_known = f->heap_known && e->heap.exact && !e->approximate && !e->heap.thp_bytes;
	pinned = p->sparse_resident - min(p->sparse_resident, p->sparse_live_bytes);
	f->sparse = e->has_pools && p->sparse_pools && pinned >= f->kinds[MEMORY_PY_FREE].bytes / 2;
}

/* In the order of their bytes; of equal ones the first. Returns how many. */
static size_t rank(const struct facts *f, enum finding ranked[FINDINGS], uint64_t bytes[FINDINGS])
{
	size_t nr = 0;

	for (unsigned int i = 0; i < FINDING_SMALL; i++) {
		uint64_t n = finding_bytes(f, i);
		size_t at = nr;

		if (!n)
			continue;
		for (; at && bytes[at - 1] < n; at--) {
			ranked[at] = ranked[at - 1];
			bytes[at] = bytes[at - 1];
		}
		ranked[at] = i;
		bytes[at] = n;
		nr++;
	}
	return nr;
}

/* In a process as small as an interpreter that idles these are most of it, and no news. */
static bool is_usual(enum finding f)
{
	return f == FINDING_FILES || f == FINDING_DATA;
}

static void add(const struct facts *f, enum finding finding, uint64_t bytes, struct verdict *v)
{
	struct verdict_sentence *s = &v->sentences[v->nr_sentences];

	s->finding = finding;
	s->bytes = bytes;
	finding_say(f, finding, s->text);
	v->nr_sentences++;
}

void verdict_of(const struct explanation *e, struct verdict *ret)
{
	bool news = e->total >= SMALL_BYTES;
	enum finding ranked[FINDINGS];
	uint64_t bytes[FINDINGS];
	struct facts f;
	size_t nr;

	memset(ret, 0, sizeof(*ret));
	gather(e, &f);
	nr = rank(&f, ranked, bytes);
	for (size_t i = 0; i < nr; i++)
		news |= facts_notable(&f, bytes[i]) && !is_usual(ranked[i]);
	for (size_t i = 0; i < nr && news && ret->nr_sentences < VERDICT_MAX; i++) {
		bool usual = is_usual(ranked[i]) && bytes[i] < f.total / 100 * USUAL_PERCENT;

		if ((facts_notable(&f, bytes[i]) && !usual) || !i)
			add(&f, ranked[i], bytes[i], ret);
	}
	if (!ret->nr_sentences)
		add(&f, FINDING_SMALL, e->total, ret);
	/* rows are exact even so, where the heap alone did not add up */
	if (e->approximate && !f.kinds[MEMORY_HEAP_UNKNOWN].bytes)
		say(ret->sentences[0].text, " These figures are approximate.");
	remedies_of(&f, ret);
}
