/* SPDX-License-Identifier: MIT */
/*
 * What is resident of one process, as ascending runs of pages that carry the sums of all before them, so
 * that any range is two look-ups.
 */
#ifndef PMT_MODEL_PAGE_RUNS_H
#define PMT_MODEL_PAGE_RUNS_H

#include <stddef.h>
#include <stdint.h>

/* What pages are, by the page tables. */
enum page_flags {
	PAGE_IS_OF_FILE = 1 << 0, /* the file's own page, or shmem's */
	PAGE_IS_HUGE = 1 << 1,
	PAGE_IS_EXCLUSIVE = 1 << 2, /* mapped nowhere else */
};

/* Bytes. */
struct sums {
	uint64_t bytes, huge, exclusive;
};

struct run {
	uint64_t start, end;
	struct sums before; /* of all runs before this one */
	unsigned int flags; /* enum page_flags */
};

struct runs {
	struct run *v; /* neighbours differ in flags or do not touch */
	size_t nr, size;
};

/* Whole pages [start, end), behind all others. -EINVAL, -ENOMEM */
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
