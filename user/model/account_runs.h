/* SPDX-License-Identifier: MIT */
/*
 * Internal to the account: what is resident, as ascending runs of pages that carry the sums of all
 * before them, so that any range is two look-ups.
 */
#ifndef PMT_MODEL_ACCOUNT_RUNS_H
#define PMT_MODEL_ACCOUNT_RUNS_H

#include <stddef.h>
#include <stdint.h>

struct sums {
	uint64_t bytes, huge, exclusive;
};

struct run {
	uint64_t start, end;
	struct sums before; /* of all runs before this one */
	unsigned int flags;
};

struct runs {
	struct run *v;
	size_t nr, size;
};

/* Behind all others. -ENOMEM */
int runs_add(struct runs *r, uint64_t start, uint64_t end, unsigned int flags);
void runs_done(struct runs *r);

/* Of n bytes of pages with these flags (enum page_flags). */
struct sums sums_of(uint64_t n, unsigned int flags);
void sums_add(struct sums *s, const struct sums *more);
void sums_sub(struct sums *s, const struct sums *less);

/* The first run that ends behind addr, or r->nr; not one before hint. */
size_t runs_find(const struct runs *r, uint64_t addr, size_t hint);

/* Of all runs. */
struct sums runs_total(const struct runs *r);

/*
 * Of [start, end). *at: no run behind start; becomes the run at end, where a range behind this one can
 * go on.
 */
struct sums runs_between(const struct runs *r, uint64_t start, uint64_t end, size_t *at);

#endif
