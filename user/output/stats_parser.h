/* SPDX-License-Identifier: MIT */
/*
 * Inside of stats_parse(): its state, which stats_check.c judges at the end, and the pieces a line
 * is taken apart with.
 */
#ifndef PMT_OUTPUT_STATS_PARSER_H
#define PMT_OUTPUT_STATS_PARSER_H

#include "model/stats.h"
#include "output/stats_lines.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct fault;

/* Lines without a constant label, numbered after those that have one. */
enum {
	SEEN_THRESHOLD = NR_STATS_LINES,
	SEEN_HEADING,
	SEEN_ARENAS,
	SEEN_UNUSED,
	SEEN_TOTAL,
	SEEN_MAP,
	SEEN_MAP_TOTAL,
};

struct stats_parser {
	struct malloc_stats stats;
	uint32_t seen; /* bit per line */
	unsigned int line;
	bool in_table;	    /* between the rule below the heading and the first value line */
	unsigned int tuple; /* size of the last "N-sized PyTupleObject", 0: none */
	struct fault *fault;
};

/* Is nothing missing, and does it add up? 0, or -EINVAL and the parser's fault. */
int stats_check_whole(const struct stats_parser *p);

/*
 * The pieces of a line. Each advances *p behind what it took and returns true, or leaves it alone.
 */
static inline bool eat(const char **p, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*p, word, len) != 0)
		return false;
	*p += len;
	return true;
}

static inline bool eat_blanks(const char **p)
{
	const char *start = *p;

	*p += strspn(*p, " ");
	return *p > start;
}

/* Digits, with commas if the text has them there; larger than int64 is not a number of the text. */
static inline bool eat_number(const char **p, bool commas, uint64_t *ret)
{
	const char *s = *p;
	uint64_t v = 0;

	if (!isdigit((unsigned char)*s))
		return false;
	for (; isdigit((unsigned char)*s) || (commas && *s == ','); s++) {
		if (*s == ',')
			continue;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *s - '0', &v) ||
		    v > INT64_MAX)
			return false;
	}
	*ret = v;
	*p = s;
	return true;
}

/* "   =                2,033" to the end of the line */
static inline bool eat_value(const char **p, uint64_t *ret)
{
	const char *s = *p;
	uint64_t v;

	eat_blanks(&s);
	if (!eat(&s, "="))
		return false;
	eat_blanks(&s);
	if (!eat_number(&s, true, &v) || *s)
		return false;
	*ret = v;
	*p = s;
	return true;
}

#endif
