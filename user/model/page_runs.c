/* SPDX-License-Identifier: MIT */
#include "model/page_runs.h"

#include "base/cleanup.h"

#include <errno.h>

#define PAGE_BYTES 4096u

struct sums sums_of(uint64_t n, unsigned int flags)
{
	return (struct sums){
		.bytes = n,
		.huge = flags & PAGE_IS_HUGE ? n : 0,
		.exclusive = flags & PAGE_IS_EXCLUSIVE ? n : 0,
	};
}

void sums_add(struct sums *s, const struct sums *more)
{
	s->bytes += more->bytes;
	s->huge += more->huge;
	s->exclusive += more->exclusive;
}

void sums_sub(struct sums *s, const struct sums *less)
{
	s->bytes -= less->bytes;
	s->huge -= less->huge;
	s->exclusive -= less->exclusive;
}

struct sums runs_total(const struct runs *r)
{
	struct sums s = {0}, last;

	if (r->nr) {
		const struct run *run = &r->v[r->nr - 1];

		s = run->before;
		last = sums_of(run->end - run->start, run->flags);
		sums_add(&s, &last);
	}
	return s;
}

int runs_add(struct runs *r, uint64_t start, uint64_t end, unsigned int flags)
{
	struct run *last = r->nr ? &r->v[r->nr - 1] : NULL;

	if (start >= end || (start | end) % PAGE_BYTES || (last && start < last->end))
		return -EINVAL;
	if (last && start == last->end && flags == last->flags) {
		last->end = end;
		return 0;
	}
	if (r->nr == r->size) {
		size_t size = max(r->size * 2, (size_t)64);
		struct run *more = reallocarray(r->v, size, sizeof(*more));

		if (!more)
			return -ENOMEM;
		r->v = more;
		r->size = size;
	}
	r->v[r->nr] = (struct run){
		.start = start,
		.end = end,
		.before = runs_total(r),
		.flags = flags,
	};
	r->nr++;
	return 0;
}

void runs_done(struct runs *r)
{
	free(r->v);
	*r = (struct runs){0};
}

size_t runs_find(const struct runs *r, uint64_t addr, size_t hint)
{
	size_t lo = hint, hi, step = 1;

	/* seldom far from the hint: steps that double, then halves */
	for (hi = lo; hi < r->nr && r->v[hi].end <= addr; step *= 2) {
		lo = hi + 1;
		hi = min(hi + step, r->nr);
	}
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (r->v[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Of what is resident below addr; at: runs_find(addr). */
static struct sums sums_below(const struct runs *r, uint64_t addr, size_t at)
{
	struct sums s, partly;

	if (at == r->nr)
		return runs_total(r);
	s = r->v[at].before;
	if (addr > r->v[at].start) {
		partly = sums_of(addr - r->v[at].start, r->v[at].flags);
		sums_add(&s, &partly);
	}
	return s;
}

struct sums runs_between(const struct runs *r, uint64_t start, uint64_t end, size_t *at)
{
	struct sums below, s;

	*at = runs_find(r, start, *at);
	below = sums_below(r, start, *at);
	*at = runs_find(r, end, *at);
	s = sums_below(r, end, *at);
	sums_sub(&s, &below);
	return s;
}
