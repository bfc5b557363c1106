/* SPDX-License-Identifier: MIT */
/*
 * Parser of smaps, a line at a time: it is a kilobyte per mapping. Lines of unknown keys are passed
 * over, new kernels have more of them.
 */
#include "target/smaps.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "target/target.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

static const struct {
	const char *key;
	size_t offset;
} keys[] = {
	{"Rss:", offsetof(struct smaps_entry, rss)},
	{"Pss:", offsetof(struct smaps_entry, pss)},
	{"Pss_Anon:", offsetof(struct smaps_entry, pss_anon)},
	{"Shared_Clean:", offsetof(struct smaps_entry, shared_clean)},
	{"Shared_Dirty:", offsetof(struct smaps_entry, shared_dirty)},
	{"Private_Clean:", offsetof(struct smaps_entry, private_clean)},
	{"Private_Dirty:", offsetof(struct smaps_entry, private_dirty)},
	{"AnonHugePages:", offsetof(struct smaps_entry, anon_huge)},
	{"ShmemPmdMapped:", offsetof(struct smaps_entry, shmem_huge)},
	{"FilePmdMapped:", offsetof(struct smaps_entry, file_huge)},
	{"Swap:", offsetof(struct smaps_entry, swap)},
	{"SwapPss:", offsetof(struct smaps_entry, swap_pss)},
};

/* "7f0c5a600000-7f0c5a628000 r--p ...": no key has a '-' before its colon. */
static bool parse_range(const char *line, uint64_t *start, uint64_t *end)
{
	char *after;

	if (!isxdigit((unsigned char)*line))
		return false;
	*start = strtoull(line, &after, 16);
	if (*after != '-' || !isxdigit((unsigned char)after[1]))
		return false;
	*end = strtoull(after + 1, &after, 16);
	return *after == ' ' && *start < *end;
}

/* "Rss:                 156 kB", "VmFlags: rd wr mr mw me ht sd" */
static void parse_value(const char *line, struct smaps_entry *e)
{
	size_t n = strcspn(line, " ");

	if (n == 8 && !memcmp(line, "VmFlags:", n)) {
		e->hugetlb = strstr(line + n, " ht");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strlen(keys[i].key) == n && !memcmp(keys[i].key, line, n)) {
			uint64_t kib = strtoull(line + n, NULL, 10);

			memcpy((char *)e + keys[i].offset, &(uint64_t){kib << 10}, sizeof(kib));
			return;
		}
	}
}

static struct smaps_entry *append(struct smaps *s, size_t *size)
{
	if (s->nr == *size) {
		size_t n = *size ? *size * 2 : 64;
		struct smaps_entry *more = reallocarray(s->v, n, sizeof(*more));

		if (!more)
			return NULL;
		s->v = more;
		*size = n;
	}
	s->v[s->nr] = (struct smaps_entry){0};
	return &s->v[s->nr++];
}

int smaps_parse(FILE *in, struct smaps *ret)
{
	_cleanup_(smaps_done) struct smaps s = {0};
	_cleanup_free_ char *line = NULL;
	size_t size = 0, line_size = 0;
	struct smaps_entry *e = NULL;

	while (errno = 0, getline(&line, &line_size, in) > 0) {
		uint64_t start, end;

		if (!parse_range(line, &start, &end)) {
			if (!e)
				return -EINVAL;
			parse_value(line, e);
			continue;
		}
		if (s.nr == MAPS_MAX)
			return -E2BIG;
		e = append(&s, &size);
		if (!e)
			return -ENOMEM;
		e->start = start;
		e->end = end;
	}
	if (errno)
		return -errno;
	*ret = s;
	s = (struct smaps){0};
	return 0;
}

void smaps_done(struct smaps *s)
{
	if (!s)
		return;
	free(s->v);
	*s = (struct smaps){0};
}

static int read_file(const struct target *t, const char *name, struct smaps *ret, struct fault *f)
{
	_cleanup_file_ FILE *in = NULL;
	int fd = openat(t->proc_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int err;

	if (fd >= 0)
		in = fdopen(fd, "re");
	if (!in) {
		err = errno;
		if (fd >= 0)
			close(fd);
		return fault_errno(f, err, "/proc/%d/%s", (int)t->pid, name);
	}
	err = smaps_parse(in, ret);
	if (err)
		return fault_errno(f, -err, "/proc/%d/%s", (int)t->pid, name);
	return 0;
}

int target_smaps(const struct target *t, struct smaps *ret, struct fault *f)
{
	return read_file(t, "smaps", ret, f);
}

int target_smaps_rollup(const struct target *t, struct smaps_entry *ret, struct fault *f)
{
	_cleanup_(smaps_done) struct smaps s = {0};
	int err = read_file(t, "smaps_rollup", &s, f);

	if (err)
		return err;
	if (s.nr != 1)
		return fault_set(f, ESRCH, "process %d has ended", (int)t->pid);
	*ret = s.v[0];
	return 0;
}
