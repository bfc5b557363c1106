/* SPDX-License-Identifier: MIT */
/* Names of findings and remedies, and numbers as a sentence has them. */
#include "model/verdict_internal.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *finding_name(enum finding f)
{
	static const char *const names[FINDINGS] = {
		[FINDING_POOLS_PINNED] = "pools_pinned",
		[FINDING_HEAP_FREE] = "heap_free",
		[FINDING_ARENAS_FREE] = "arenas_free",
		[FINDING_THRESHOLD_GREW] = "threshold_grew",
		[FINDING_DATA] = "data",
		[FINDING_OTHER_MALLOC] = "other_malloc",
		[FINDING_FILES] = "files",
		[FINDING_SHARED] = "shared",
		[FINDING_STACKS] = "stacks",
		[FINDING_COPIED] = "copied",
		[FINDING_HEAP_UNKNOWN] = "heap_unknown",
		[FINDING_ANONYMOUS] = "anonymous",
		[FINDING_SWAPPED] = "swapped",
		[FINDING_HUGETLB] = "hugetlb",
		[FINDING_SMALL] = "small",
	};

	return (unsigned int)f < FINDINGS ? names[f] : "";
}

const char *remedy_name(enum remedy r)
{
	static const char *const names[REMEDIES] = {
		[REMEDY_FREE_SURVIVORS] = "free_survivors",
		[REMEDY_TRIM] = "malloc_trim",
		[REMEDY_ARENA_MAX] = "arena_max",
		[REMEDY_MMAP_THRESHOLD] = "mmap_threshold",
		[REMEDY_TRIM_THRESHOLD] = "trim_threshold",
		[REMEDY_FREEZE] = "gc_freeze",
		[REMEDY_NOTHING] = "nothing",
	};

	return (unsigned int)r < REMEDIES ? names[r] : "";
}

static char *next_word(struct words *w)
{
	return w->v[w->nr++ % ARRAY_SIZE(w->v)];
}

const char *word_size(struct words *w, uint64_t bytes)
{
	return text_size(next_word(w), (int64_t)min(bytes, (uint64_t)INT64_MAX), false);
}

const char *word_number(struct words *w, uint64_t n)
{
	return text_thousands(next_word(w), (int64_t)min(n, (uint64_t)INT64_MAX), false);
}

const char *word_percent(struct words *w, uint64_t part, uint64_t whole)
{
	double percent = whole ? 100.0 * (double)part / (double)whole : 0;
	char *word = next_word(w);

	if (part && percent < 0.05)
		snprintf(word, sizeof(w->v[0]), "under 0.1 %%");
	else if (percent < 9.95)
		snprintf(word, sizeof(w->v[0]), "%.1f %%", percent);
	else if (part < whole && percent > 99) /* all of it would not be true */
		snprintf(word, sizeof(w->v[0]), "99 %%");
	else
		snprintf(word, sizeof(w->v[0]), "%.0f %%", min(percent, 100.0));
	return word;
}

void say(char text[static VERDICT_TEXT], const char *fmt, ...)
{
	size_t len = strlen(text), room = VERDICT_TEXT - len;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text + len, room, fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= room)
		text[len] = 0;
}

const char *plain(char buf[static 168], const char *text)
{
	size_t n = 0, word = 0;

	for (; *text && n < 160; text++) {
		unsigned char c = (unsigned char)*text;

		/* a character of several bytes becomes one, and so do blanks */
		if ((c & 0xc0) == 0x80 || (c == ' ' && (!n || buf[n - 1] == ' ')))
			continue;
		if (c == ' ')
			word = n;
		buf[n++] = c >= ' ' && c < 0x7f ? (char)c : '?';
	}
	while (n && (buf[n - 1] == ' ' || buf[n - 1] == '.'))
		n--;
	if (*text)
		n = word ? word : n;
	snprintf(buf + n, 168 - n, "%s", *text ? " [...]" : "");
	return n ? buf : NULL;
}
