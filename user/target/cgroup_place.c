/* SPDX-License-Identifier: MIT */
/*
 * Where the memory cgroup of a process is: its path in the hierarchy, and where that is mounted. Both are
 * told from the root of our cgroup namespace, and have ".." in front for what is outside of it; as texts
 * they still fit together, and nothing of them is ever followed upwards.
 */
#include "target/cgroup_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Is name one of the words of a list with commas? */
static bool has_word(const char *list, size_t len, const char *name)
{
	const char *end = list + len;

	while (list < end) {
		const char *comma = memchr(list, ',', (size_t)(end - list));
		size_t n = (size_t)((comma ? comma : end) - list);

		if (n == strlen(name) && !memcmp(list, name, n))
			return true;
		list += n + 1;
	}
	return false;
}

/*
 *	9:name=systemd:/
 *	4:memory:/docker/3f2a
 *	0::/system.slice/docker-3f2a.scope
 *
 * The memory controller is either in a hierarchy of version 1, which then names it, or in version 2,
 * which names none.
 */
int cgroup_parse_place(const char *text, struct cgroup_place *ret)
{
	const char *path = NULL;
	struct cgroup_place place = {0};
	size_t path_len = 0;

	for (const char *line = text; *line && place.version != 1;) {
		size_t len = strcspn(line, "\n");
		const char *names = memchr(line, ':', len);
		const char *colon =
			names ? memchr(names + 1, ':', len - (size_t)(names + 1 - line)) : NULL;

		if (colon && colon[1] == '/') {
			size_t n = (size_t)(colon - names - 1);

			if (has_word(names + 1, n, "memory"))
				place.version = 1;
			else if (!n && names == line + 1 && *line == '0')
				place.version = 2;
			else
				colon = NULL;
			if (colon) {
				path = colon + 1;
				path_len = len - (size_t)(path - line);
			}
		}
		line += len + (line[len] == '\n');
	}
	if (place.version) {
		place.path = strndup(path, path_len);
		if (!place.path)
			return -ENOMEM;
	}
	*ret = place;
	return 0;
}

void cgroup_mount_done(struct cgroup_mount *m)
{
	free(m->root);
	free(m->point);
	*m = (struct cgroup_mount){0};
}

/* "/sys/fs/a\040b" -> "/sys/fs/a b": blanks and backslashes are octal in mountinfo. */
static char *unescape(const char *s, size_t len)
{
	char *path = malloc(len + 1), *o = path;

	for (size_t i = 0; path && i < len; i++) {
		if (s[i] == '\\' && i + 3 < len && strspn(s + i + 1, "01234567") >= 3) {
			*o++ = (char)((s[i + 1] - '0') << 6 | (s[i + 2] - '0') << 3 |
				      (s[i + 3] - '0'));
			i += 3;
		} else {
			*o++ = s[i];
		}
	}
	if (path)
		*o = 0;
	return path;
}

/* The next word of a line, and its length; "" at the end. */
static const char *next_word(const char **at, const char *end, size_t *len)
{
	const char *word = *at;

	while (word < end && *word == ' ')
		word++;
	*len = 0;
	while (word + *len < end && word[*len] != ' ')
		(*len)++;
	*at = word + *len;
	return word;
}

static bool is_word(const char *word, size_t len, const char *name)
{
	return len == strlen(name) && !memcmp(word, name, len);
}

/*
 *	35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
 *	id         root  point                          (tags)  - type  source  options
 */
static int parse_mount(const char *line, const char *end, int version, struct cgroup_mount *ret)
{
	const char *word[5], *type, *options;
	size_t len[5], n;

	for (int i = 0; i < 5; i++)
		word[i] = next_word(&line, end, &len[i]);
	do {
		type = next_word(&line, end, &n);
	} while (n && !is_word(type, n, "-"));
	type = next_word(&line, end, &n);
	if (!is_word(type, n, version == 1 ? "cgroup" : "cgroup2"))
		return 0;
	next_word(&line, end, &n);
	options = next_word(&line, end, &n);
	if ((version == 1 && !has_word(options, n, "memory")) || word[3][0] != '/' ||
	    word[4][0] != '/')
		return 0;
	*ret = (struct cgroup_mount){
		.root = unescape(word[3], len[3]),
		.point = unescape(word[4], len[4]),
		.id = strtoull(word[0], NULL, 10),
	};
	if (ret->root && ret->point)
		return 1;
	cgroup_mount_done(ret);
	return -ENOMEM;
}

int cgroup_next_mount(const char **text, int version, struct cgroup_mount *ret)
{
	while (**text) {
		const char *line = *text, *end = line + strcspn(line, "\n");
		int found;

		*text = end + (*end == '\n');
		found = parse_mount(line, end, version, ret);
		if (found)
			return found;
	}
	return 0;
}

const char *cgroup_below(const char *path, const char *root)
{
	size_t n = strlen(root);

	if (n && root[n - 1] == '/')
		n--;
	if (strncmp(path, root, n) || (path[n] && path[n] != '/'))
		return NULL;
	path += n;
	return strcmp(path, "/") ? path : path + 1;
}
