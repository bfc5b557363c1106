/* SPDX-License-Identifier: MIT */
/*
 * A profile summed up for one event: by function, as a tree of calls, and as an account in which
 * everything adds up. Growth and shrinkage stay apart everywhere; sums stop at INT64_MAX.
 *
 *	root                                    the sum of everything
 *	├ pid 4242                              only where there are several processes
 *	│ ├ thread 4243 (worker)                only by_thread
 *	│ │ ├ <module>                          a function: its callers above, its callees below
 *	│ │ └ [truncated]                       above the outermost function known
 *	│ └ [no Python thread]                  causes belong to no thread
 *
 * Inverted, the leaf of each stack comes first and its callers below it; "[truncated]" is last.
 */
#ifndef PMT_MODEL_PROFILE_TREE_H
#define PMT_MODEL_PROFILE_TREE_H

#include "model/profile.h"

/* What of a profile is looked at. */
struct profile_select {
	enum profile_event event;
	pid_t pid; /* 0: all */
	/* trees only: */
	bool inverted, by_thread;
	/* without the frames of the import machinery, as in tracebacks, but where one is the leaf */
	bool brief;
};

enum profile_node_kind {
	PROFILE_NODE_ROOT,
	PROFILE_NODE_PROCESS,	/* of: its pid */
	PROFILE_NODE_THREAD,	/* of: index of the thread */
	PROFILE_NODE_TRUNCATED, /* "[truncated]" */
	PROFILE_NODE_FUNCTION,	/* of: index of the function */
	PROFILE_NODE_CAUSE,	/* of: enum profile_cause */
};

struct profile_node {
	enum profile_node_kind kind;
	uint32_t of;
	uint32_t parent, child, next; /* nodes, PROFILE_NONE: none; child: the first of them */
	uint32_t depth;		      /* 0: root */
	struct profile_change total;  /* of the node and all below it */
	struct profile_change self;   /* of the stacks that end here */
};

/* root, process, thread, [truncated], frames */
#define PROFILE_TREE_MAX_DEPTH (PROFILE_MAX_FRAMES + 4)
/* Stacks that find no room end where the tree ends: sums stay whole. */
#define PROFILE_TREE_MAX_NODES (1u << 22)

struct profile_tree {
	struct profile_node *nodes; /* [0]: the root; a parent comes before its children */
	uint32_t nr_nodes, size;
	uint32_t depth;	 /* of the deepest node */
	uint64_t nr_cut; /* rows that found no room for all their frames */
};

/* Children are in the order of their net growth, the largest first. -ENOMEM. */
int profile_tree_new(const struct profile *p, const struct profile_select *s,
		     struct profile_tree **ret);
void profile_tree_free(struct profile_tree *t); /* accepts NULL */

/* The next node in the order of a printed tree (a node, then what is below it); PROFILE_NONE: end. */
uint32_t profile_tree_next(const struct profile_tree *t, uint32_t node);
/* The same, leaving out what is below the node. */
uint32_t profile_tree_skip(const struct profile_tree *t, uint32_t node);

struct profile_flat_row {
	uint32_t function;
	int32_t line; /* of the function's lines that with the most self growth; 0: not known */
	struct profile_change self;  /* where it is the leaf */
	struct profile_change total; /* of stacks with it, each once, also where it recurs */
};

struct profile_flat {
	struct profile_flat_row *rows; /* of the functions that occur; the most self growth first */
	uint32_t nr_rows;
};

int profile_flat_new(const struct profile *p, const struct profile_select *s,
		     struct profile_flat **ret);
void profile_flat_free(struct profile_flat *t); /* accepts NULL */

/*
 * What was seen, and whose it is. Of PROFILE_RSS, all of it is rss_after - rss_before, if
 * profile_balance() was called.
 */
struct profile_account {
	struct profile_change attributed; /* to stacks */
	struct profile_change causes[PROFILE_CAUSES];
	struct profile_change unattributed; /* sum of causes */
	int64_t rss_before, rss_after;
};

void profile_account(const struct profile *p, const struct profile_select *s,
		     struct profile_account *ret);

static inline int64_t profile_net(const struct profile_change *c)
{
	return c->growth - c->shrink;
}

void profile_sum(struct profile_change *to, const struct profile_change *c);

/* NULL: none of that pid. */
const struct profile_process *profile_find_process(const struct profile *p, pid_t pid);
/* There is more than one process to tell apart. */
bool profile_several(const struct profile *p);

#endif
