/* SPDX-License-Identifier: MIT */
/* The user behind sudo: a process becomes them before it runs their program. */
#ifndef PMT_CMD_ACCOUNT_H
#define PMT_CMD_ACCOUNT_H

#include <stddef.h>
#include <sys/types.h>

struct account {
	uid_t uid;
	gid_t gid;
	char *name; /* NULL: the user has no entry; then there are no groups and no HOME either */
	char *home, *shell;
	gid_t *groups; /* supplementary ones, gid among them */
	size_t nr_groups;
};

/* Fills what the system knows of uid; a user without an entry is no error. 0 or -ENOMEM. */
int account_find(uid_t uid, gid_t gid, struct account *ret);

/* This process becomes them for good: groups, IDs, HOME and its like. 0 or -errno. */
int account_become(const struct account *a);

void account_done(struct account *a);

#endif
