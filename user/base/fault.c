/* SPDX-License-Identifier: MIT */
#include "base/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void make_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

/* A text that filled its buffer may have been cut inside a UTF-8 character: drop the piece. */
static void drop_partial_character(char *s, size_t size)
{
	size_t len = strlen(s), start = len;
	unsigned char lead;

	if (len + 1 < size)
		return;
	while (start && ((unsigned char)s[start - 1] & 0xc0) == 0x80)
		start--;
	if (!start)
		return;
	lead = (unsigned char)s[start - 1];
	if (lead >= 0xc0 && len - start + 1 < (lead >= 0xf0 ? 4u : lead >= 0xe0 ? 3u : 2u))
		s[start - 1] = 0;
}

__attribute__((format(printf, 3, 0))) static void fault_vset(struct fault *f, int err,
							     const char *fmt, va_list ap)
{
	f->err = err;
	f->hint[0] = 0;
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	drop_partial_character(f->text, sizeof(f->text));
	make_printable(f->text);
}

int fault_set(struct fault *f, int err, const char *fmt, ...)
{
	va_list ap;

	if (!f)
		return -err;
	va_start(ap, fmt);
	fault_vset(f, err, fmt, ap);
	va_end(ap);
	return -err;
}

int fault_errno(struct fault *f, int err, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	if (!f)
		return -err;
	va_start(ap, fmt);
	fault_vset(f, err, fmt, ap);
	va_end(ap);
	n = strlen(f->text);
	snprintf(f->text + n, sizeof(f->text) - n, ": %s", strerror(err));
	return -err;
}

void fault_hint(struct fault *f, const char *fmt, ...)
{
	va_list ap;

	if (!f)
		return;
	va_start(ap, fmt);
	vsnprintf(f->hint, sizeof(f->hint), fmt, ap);
	drop_partial_character(f->hint, sizeof(f->hint));
	va_end(ap);
	make_printable(f->hint);
}

void fault_clear(struct fault *f)
{
	if (f)
		memset(f, 0, sizeof(*f));
}
