/* SPDX-License-Identifier: MIT */
/*
 * Parser of /proc/PID/maps. The text is the kernel's, but a target chooses the paths in it and how
 * many lines there are; a caller may also hand over a truncated or recorded text.
 *
 *   7f0c5a600000-7f0c5a628000 r--p 00000000 fe:00 1311                       /usr/lib/libc.so.6
 *   start        end          perm offset   dev   inode, then blanks up to column 73, then path
 */
#include "target/maps.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#define PAGE_MASK 4095ull
#define DELETED	  " (deleted)"

struct cursor {
	const char *p, *end;
};

/* Digits of base 10 or 16, at least one, at most what fits 64 bits. */
static bool take_number(struct cursor *c, unsigned int base, uint64_t *ret)
{
	uint64_t v = 0;
	const char *begin = c->p;

	for (; c->p < c->end; c->p++) {
		unsigned int d;

		if (*c->p >= '0' && *c->p <= '9')
			d = (unsigned int)(*c->p - '0');
		else if (base == 16 && *c->p >= 'a' && *c->p <= 'f')
			d = (unsigned int)(*c->p - 'a') + 10;
		else
			break;
		if (v > (UINT64_MAX - d) / base)
			return false;
		v = v * base + d;
	}
	*ret = v;
	return c->p > begin;
}

static bool take_char(struct cursor *c, char wanted)
{
	if (c->p >= c->end || *c->p != wanted)
		return false;
	c->p++;
	return true;
}

static bool take_permissions(struct cursor *c, struct vma *v)
{
	const char *p = c->p;

	if (c->end - p < 4)
		return false;
	if ((p[0] != 'r' && p[0] != '-') || (p[1] != 'w' && p[1] != '-') ||
	    (p[2] != 'x' && p[2] != '-') || (p[3] != 'p' && p[3] != 's'))
		return false;
	v->read = p[0] == 'r';
	v->write = p[1] == 'w';
	v->exec = p[2] == 'x';
	v->shared = p[3] == 's';
	c->p += 4;
	return true;
}

/*
 * The kernel escapes newline alone, so a file really named "a\012b" looks like one with a newline:
 * undecidable from the text. Likewise " (deleted)" may be part of a name; whoever opens the path
 * compares device and inode.
 */
static int decode_path(const char *s, size_t len, struct vma *v)
{
	const size_t suffix = sizeof(DELETED) - 1;
	char *out;
	size_t o = 0;

	if (!len)
		return 0;
	if (len > suffix && !memcmp(s + len - suffix, DELETED, suffix)) {
		v->deleted = true;
		len -= suffix;
	}
	out = malloc(len + 1);
	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < len;) {
		if (len - i >= 4 && !memcmp(s + i, "\\012", 4)) {
			out[o++] = '\n';
			i += 4;
		} else {
			out[o++] = s[i++];
		}
	}
	out[o] = 0;
	v->path = out;
	return 0;
}

static int parse_line(const char *line, size_t len, struct vma *ret)
{
	struct cursor c = {.p = line, .end = line + len};
	uint64_t major, minor, inode;
	struct vma v = {0};
	int err;

	if (memchr(line, 0, len))
		return -EINVAL;
	if (!take_number(&c, 16, &v.start) || !take_char(&c, '-') || !take_number(&c, 16, &v.end) ||
	    !take_char(&c, ' ') || !take_permissions(&c, &v) || !take_char(&c, ' ') ||
	    !take_number(&c, 16, &v.offset) || !take_char(&c, ' ') ||
	    !take_number(&c, 16, &major) || !take_char(&c, ':') || !take_number(&c, 16, &minor) ||
	    !take_char(&c, ' ') || !take_number(&c, 10, &inode))
		return -EINVAL;
	if (v.start >= v.end || ((v.start | v.end) & PAGE_MASK) || major > UINT32_MAX ||
	    minor > UINT32_MAX)
		return -EINVAL;
	if (c.p < c.end && *c.p != ' ')
		return -EINVAL;
	while (c.p < c.end && *c.p == ' ')
		c.p++;
	v.dev = makedev((unsigned int)major, (unsigned int)minor);
	v.inode = (ino_t)inode;
	err = decode_path(c.p, (size_t)(c.end - c.p), &v);
	if (err)
		return err;
	*ret = v;
	return 0;
}

static int append(struct maps *m, size_t *size, const struct vma *v)
{
	if (m->nr >= MAPS_MAX)
		return -E2BIG;
	if (m->nr == *size) {
		size_t n = *size ? *size * 2 : 64;
		struct vma *bigger = realloc(m->v, n * sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		m->v = bigger;
		*size = n;
	}
	m->v[m->nr++] = *v;
	return 0;
}

/*
 * The kernel fills one buffer at a time and goes on from the last address: a mapping that grew or
 * merged in between is shown again from its beginning. Cut such a line to what is new in it, so
 * that mappings ascend and never overlap. False: nothing in it is new.
 */
static bool cut_overlap(const struct maps *m, struct vma *v)
{
	uint64_t last = m->nr ? m->v[m->nr - 1].end : 0;

	if (v->start >= last)
		return true;
	if (v->end <= last)
		return false;
	if (v->inode)
		v->offset += last - v->start;
	v->start = last;
	return true;
}

int maps_parse(struct maps *ret, const char *text, size_t len)
{
	_cleanup_(maps_done) struct maps m = {0};
	size_t size = 0;

	while (len) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t)(nl - text) : len;
		struct vma v;
		int err;

		err = parse_line(text, n, &v);
		if (err)
			return err;
		err = cut_overlap(&m, &v) ? append(&m, &size, &v) : 1;
		if (err)
			free(v.path);
		if (err < 0)
			return err;
		n += nl != NULL;
		text += n;
		len -= n;
	}
	*ret = m;
	m = (struct maps){0};
	return 0;
}

void maps_done(struct maps *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->nr; i++)
		free(m->v[i].path);
	free(m->v);
	*m = (struct maps){0};
}

const struct vma *maps_find(const struct maps *m, uint64_t addr)
{
	size_t lo = 0, hi = m->nr;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (addr < m->v[mid].start)
			hi = mid;
		else if (addr >= m->v[mid].end)
			lo = mid + 1;
		else
			return &m->v[mid];
	}
	return NULL;
}
