/* SPDX-License-Identifier: MIT */
/*
 * A user's entry and groups. A static binary (PMT_STATIC) must not ask NSS: glibc would load modules
 * of the host's own libc, which is another one. It reads /etc/passwd and /etc/group instead, so a
 * user that only a directory service knows has no entry there.
 */
#include "cmd/account.h"

#include "base/cleanup.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the kernel takes, NGROUPS_MAX. */
#define MAX_GROUPS 65536

static int take_entry(struct account *a, const struct passwd *pw)
{
	a->name = strdup(pw->pw_name);
	a->home = strdup(pw->pw_dir);
	a->shell = strdup(pw->pw_shell);
	return a->name && a->home && a->shell ? 0 : -ENOMEM;
}

#ifdef PMT_STATIC

static int find_entry(struct account *a)
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd *pw;
	int err = 0;

	if (!f)
		return 0;
	while ((pw = fgetpwent(f)))
		if (pw->pw_uid == a->uid) {
			err = take_entry(a, pw);
			break;
		}
	fclose(f);
	return err;
}

static int add_group(struct account *a, gid_t gid)
{
	gid_t *more;

	for (size_t i = 0; i < a->nr_groups; i++)
		if (a->groups[i] == gid)
			return 0;
	if (a->nr_groups == MAX_GROUPS)
		return 0;
	more = realloc(a->groups, (a->nr_groups + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	a->groups = more;
	a->groups[a->nr_groups++] = gid;
	return 0;
}

static int find_groups(struct account *a)
{
	int err = add_group(a, a->gid);
	FILE *f = fopen("/etc/group", "re");
	struct group *gr;

	while (f && !err && (gr = fgetgrent(f)))
		for (char **member = gr->gr_mem; *member && !err; member++)
			if (!strcmp(*member, a->name))
				err = add_group(a, gr->gr_gid);
	if (f)
		fclose(f);
	return err;
}

#else

static int find_entry(struct account *a)
{
	const struct passwd *pw = getpwuid(a->uid);

	return pw ? take_entry(a, pw) : 0;
}

static int find_groups(struct account *a)
{
	for (int size = 64; size <= MAX_GROUPS; size *= 2) {
		gid_t *more = realloc(a->groups, (size_t)size * sizeof(*more));
		int n = size;

		if (!more)
			return -ENOMEM;
		a->groups = more;
		if (getgrouplist(a->name, a->gid, a->groups, &n) >= 0) {
			a->nr_groups = (size_t)n;
			return 0;
		}
	}
	a->groups[0] = a->gid; /* the kernel would not take so many */
	a->nr_groups = 1;
	return 0;
}

#endif

int account_find(uid_t uid, gid_t gid, struct account *ret)
{
	struct account a = {.uid = uid, .gid = gid};
	int err = find_entry(&a);

	if (!err && a.name)
		err = find_groups(&a);
	if (err)
		account_done(&a);
	else
		*ret = a;
	return err;
}

int account_become(const struct account *a)
{
	if (setgroups(a->nr_groups, a->groups) || setgid(a->gid) || setuid(a->uid))
		return -errno;
	if (!a->name)
		return 0;
	if (setenv("HOME", a->home, 1) || setenv("USER", a->name, 1) ||
	    setenv("LOGNAME", a->name, 1) || setenv("SHELL", a->shell, 1))
		return -errno;
	return 0;
}

void account_done(struct account *a)
{
	free(a->name);
	free(a->home);
	free(a->shell);
	free(a->groups);
	*a = (struct account){0};
}
