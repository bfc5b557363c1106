/* SPDX-License-Identifier: MIT */
/*
 * Internal to the account: which addresses an area has already. A balanced tree of ranges that neither
 * overlap nor touch, so that areas may come in any order, and many of them, without the cost of a list.
 */
#ifndef PMT_MODEL_ACCOUNT_TAKEN_H
#define PMT_MODEL_ACCOUNT_TAKEN_H

#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t start, end;
};

struct taken {
	void *tree;
	/* what the last taken_add() found there: reused by the next */
	struct range **found;
	size_t nr_found, size_found;
};

/*
 * Takes [start, end), which is not empty. *ret: what of it nobody had, ascending; the caller frees it.
 * -ENOMEM: t is not to be used any more.
 */
int taken_add(struct taken *t, uint64_t start, uint64_t end, struct range **ret, size_t *ret_nr);
/* The end of the range that has addr; addr itself if none has. */
uint64_t taken_end(const struct taken *t, uint64_t addr);
void taken_done(struct taken *t);

#endif
