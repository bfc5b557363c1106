/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

char *text_thousands(char buf[static 32], int64_t value, bool plus)
{
	char digits[24];
	uint64_t v = value < 0 ? -(uint64_t)value : (uint64_t)value;
	int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)v);
	char *p = buf;

	if (value < 0)
		*p++ = '-';
	else if (plus)
		*p++ = '+';
	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			*p++ = ',';
		*p++ = digits[i];
	}
	*p = 0;
	return buf;
}

char *text_size(char buf[static 24], int64_t bytes, bool plus)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double v = (double)bytes;
	unsigned int u = 0;

	/* 1023.95 would print as "1024.0": take the next unit before that. */
	while (fabs(v) >= 1023.95 && u < sizeof(units) / sizeof(units[0]) - 1) {
		v /= 1024;
		u++;
	}
	snprintf(buf, 24, plus ? "%+.*f %s" : "%.*f %s", u ? 1 : 0, v, units[u]);
	return buf;
}

char *text_net(char buf[static 32], int64_t bytes)
{
	char size[24];

	if (!bytes)
		snprintf(buf, 32, "0 B");
	else
		snprintf(buf, 32, "%s%s", bytes < 0 ? "\u2212" : "+",
			 text_size(size,
				   bytes < -INT64_MAX ? INT64_MAX
				   : bytes < 0	      ? -bytes
						      : bytes,
				   false));
	return buf;
}

char *text_net_bytes(char buf[static 40], int64_t bytes)
{
	char digits[32];

	text_thousands(digits, bytes, bytes > 0);
	snprintf(buf, 40, "%s%s", bytes < 0 ? "\u2212" : "", digits + (bytes < 0));
	return buf;
}

char *text_gross(char buf[static 32], int64_t bytes)
{
	if (bytes > 0)
		text_size(buf, bytes, false);
	else
		buf[0] = 0;
	return buf;
}

char *text_clock(char buf[static 32], int64_t ns, bool date)
{
	time_t seconds = ns / 1000000000;
	struct tm tm = {0};

	if (!localtime_r(&seconds, &tm) ||
	    !strftime(buf, 32, date ? "%Y-%m-%d %H:%M:%S" : "%H:%M:%S", &tm))
		buf[0] = 0;
	return buf;
}

/* Length of the valid UTF-8 sequence at s (1..4), 0 if there is none within n bytes. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
	size_t len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		len = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		len = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* overlong forms, surrogates, past U+10FFFF */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

/*
 * Characters that are seen as nothing and change how what follows is seen: C1 controls (U+0080 ..
 * U+009F), directions (U+061C, U+200E .. U+202E, U+2066 .. U+206F), line separators, zero width
 * (U+200B, U+2060, U+FEFF).
 */
static bool deceives(const unsigned char *s, size_t len)
{
	if (len == 2)
		return (s[0] == 0xc2 && s[1] < 0xa0) || (s[0] == 0xd8 && s[1] == 0x9c);
	if (len != 3)
		return false;
	return (s[0] == 0xe2 && s[1] == 0x80 &&
		((s[2] >= 0x8b && s[2] <= 0x8f) || (s[2] >= 0xa8 && s[2] <= 0xae))) ||
	       (s[0] == 0xe2 && s[1] == 0x81 && s[2] >= 0xa0 && s[2] <= 0xaf) ||
	       (s[0] == 0xef && s[1] == 0xbb && s[2] == 0xbf);
}

char *text_escape(char *buf, size_t size, const char *s, size_t len)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t o = 0;

	if (!size)
		return buf;
	for (size_t i = 0; i < len;) {
		size_t n = utf8_length(u + i, len - i);
		char esc[5];

		if ((n == 1 && (u[i] < 0x20 || u[i] == 0x7f || u[i] == '\\')) ||
		    (n && deceives(u + i, n)))
			n = 0;
		if (n) {
			if (o + n >= size)
				break;
			memcpy(buf + o, u + i, n);
			o += n;
			i += n;
			continue;
		}
		n = u[i] == '\\' ? 2 : 4;
		if (o + n >= size)
			break;
		snprintf(esc, sizeof(esc), u[i] == '\\' ? "\\\\" : "\\x%02x", u[i]);
		memcpy(buf + o, esc, n);
		o += n;
		i++;
	}
	buf[o] = 0;
	return buf;
}

void text_repair_utf8(char *s)
{
	size_t len = strlen(s), n;

	for (size_t i = 0; i < len; i += n) {
		n = utf8_length((unsigned char *)s + i, len - i);
		if (!n) {
			s[i] = '?';
			n = 1;
		}
	}
}

void text_replace(char **to, const char *s)
{
	char *copy = strdup(s);

	if (!copy)
		return;
	text_repair_utf8(copy);
	free(*to);
	*to = copy;
}

int text_parse_time(const char *s, uint64_t *ret_ns)
{
	double unit = 1, v;
	char *end;

	if (*s < '0' || *s > '9')
		if (*s != '.')
			return -EINVAL;
	if (strspn(s, "0123456789.") == 0)
		return -EINVAL;
	errno = 0;
	v = strtod(s, &end);
	if (end == s || errno || (size_t)(end - s) > strspn(s, "0123456789."))
		return -EINVAL;
	if (*end) {
		switch (*end++) {
		case 's':
			break;
		case 'm':
			unit = 60;
			break;
		case 'h':
			unit = 3600;
			break;
		default:
			return -EINVAL;
		}
		if (*end)
			return -EINVAL;
	}
	v *= unit;
	if (!(v > 0) || v >= 10.0 * 365 * 86400)
		return -EINVAL;
	v *= 1e9;
	if (v < 1)
		return -EINVAL;
	*ret_ns = (uint64_t)v;
	return 0;
}

int text_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	unsigned long long v;
	char *end;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (errno || *end || v < min || v > max)
		return -EINVAL;
	*ret = v;
	return 0;
}

int text_parse_size(const char *s, uint64_t *ret_bytes)
{
	size_t digits = strspn(s, "0123456789");
	char number[24];
	unsigned int shift = 0;
	uint64_t v;

	if (!digits || digits >= sizeof(number))
		return -EINVAL;
	if (s[digits]) {
		const char *units = "KMGT", *u = strchr(units, s[digits]);

		if (!u || s[digits + 1])
			return -EINVAL;
		shift = 10 * (unsigned int)(u - units + 1);
	}
	memcpy(number, s, digits);
	number[digits] = 0;
	if (text_parse_u64(number, 0, UINT64_MAX >> shift, &v))
		return -EINVAL;
	*ret_bytes = v << shift;
	return 0;
}
