/* SPDX-License-Identifier: MIT */
/*
 * Reads the text of sys._debugmallocstats() back into numbers. The text may be a file a user saved
 * together with whatever else the program wrote to stderr, or one that was cut short anywhere:
 * lines that are not of the text are skipped, a line of it that is missing is a fault.
 *
 *	Small block threshold = 512, in 32 size classes.
 *	    0     16           1              27           994
 *	# bytes in allocated blocks        =              799,728
 *	54 unused pools * 16384 bytes      =              884,736
 *	   5 free 1-sized PyTupleObjects * 32 bytes each =                  160
 */
#include "output/stats_text.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "output/stats_parser.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Returns 0, or a fault if the line was there already: then it is the second such text. */
static int see(struct stats_parser *p, unsigned int bit)
{
	if (p->seen >> bit & 1)
		return fault_set(p->fault, EINVAL,
				 "line %u begins a second text: one at a time can be read",
				 p->line);
	p->seen |= 1u << bit;
	return 0;
}

static int bad_value(struct stats_parser *p, uint64_t printed, uint64_t expected)
{
	return fault_set(p->fault, EINVAL,
			 "line %u is damaged or cut short: %" PRIu64 " should be %" PRIu64, p->line,
			 printed, expected);
}

/* Small block threshold = 512, in 32 size classes. */
static int parse_threshold(struct stats_parser *p, const char *s)
{
	struct malloc_stats *st = &p->stats;
	uint64_t threshold, nr;
	int err;

	if (!eat(&s, "Small block threshold = "))
		return 0;
	if (!eat_number(&s, false, &threshold) || !eat(&s, ", in ") ||
	    !eat_number(&s, false, &nr) || strcmp(s, " size classes.") != 0)
		return fault_set(p->fault, EINVAL, "line %u is damaged or cut short", p->line);
	if (threshold == 16384) /* since 3.13, gh-90815 */
		return fault_set(p->fault, ENOTSUP,
				 "line %u: this is mimalloc's account, which has no size classes "
				 "of pymalloc",
				 p->line);
	if (!nr || nr > STATS_MAX_CLASSES || threshold > 1 << 16 || threshold % nr || !threshold)
		return fault_set(p->fault, EINVAL,
				 "line %u: no pymalloc has %" PRIu64 " size classes up to %" PRIu64
				 " bytes",
				 p->line, nr, threshold);
	err = see(p, SEEN_THRESHOLD);
	if (err)
		return err;
	st->pymalloc = true;
	st->threshold = (uint32_t)threshold;
	st->nr_classes = (uint32_t)nr;
	st->alignment = (uint32_t)(threshold / nr);
	return 1;
}

/*     0     16           1              27           994 */
static int parse_class(struct stats_parser *p, const char *s)
{
	struct malloc_stats *st = &p->stats;
	uint64_t v[5];

	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		if (!eat_blanks(&s) || !eat_number(&s, false, &v[i]))
			return 0;
	if (*s)
		return 0;
	if (v[0] >= st->nr_classes || v[1] != (v[0] + 1) * st->alignment)
		return fault_set(p->fault, EINVAL,
				 "line %u: %" PRIu64 " is no size class of %" PRIu64 " bytes",
				 p->line, v[0], v[1]);
	if (!v[2])
		return fault_set(p->fault, EINVAL, "line %u: a size class without a pool", p->line);
	if (st->classes[v[0]].pools)
		return fault_set(p->fault, EINVAL, "line %u repeats size class %" PRIu64, p->line,
				 v[0]);
	st->classes[v[0]] = (struct size_class){.pools = v[2], .used = v[3], .avail = v[4]};
	return 1;
}

static int parse_table(struct stats_parser *p, const char *s)
{
	int err;

	if (strcmp(s, STATS_HEADING) == 0) {
		err = see(p, SEEN_HEADING);
		return err ? err : 1;
	}
	if (strcmp(s, STATS_RULE) == 0 && p->seen >> SEEN_HEADING & 1) {
		p->in_table = true;
		return 1;
	}
	return p->in_table ? parse_class(p, s) : 0;
}

/* # arenas allocated total           =                2,033 */
static int parse_label(struct stats_parser *p, const char *s)
{
	for (unsigned int i = 0; i < NR_STATS_LINES; i++) {
		const char *t = s;
		uint64_t v;
		int err;

		if (!eat(&t, stats_lines[i].label) || !eat_value(&t, &v))
			continue;
		err = see(p, i);
		if (err)
			return err;
		memcpy((char *)&p->stats + stats_lines[i].offset, &v, sizeof(v));
		if (i == LINE_SERIAL)
			p->stats.has_serial = true;
		return 1;
	}
	return 0;
}

/* 2 arenas * 1048576 bytes/arena     =            2,097,152 */
static int parse_product(struct stats_parser *p, const char *s)
{
	static const struct {
		const char *word, *unit;
		unsigned int bit;
		size_t count, bytes;
	} rows[] = {
		{" arenas * ", " bytes/arena", SEEN_ARENAS,
		 offsetof(struct malloc_stats, arenas_current),
		 offsetof(struct malloc_stats, arena_bytes)},
		{" unused pools * ", " bytes", SEEN_UNUSED,
		 offsetof(struct malloc_stats, unused_pools),
		 offsetof(struct malloc_stats, pool_bytes)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *t = s;
		uint64_t count, bytes, product;
		int err;

		if (!eat_number(&t, false, &count) || !eat(&t, rows[i].word) ||
		    !eat_number(&t, false, &bytes) || !eat(&t, rows[i].unit) ||
		    !eat_value(&t, &product))
			continue;
		if (product != count * bytes)
			return bad_value(p, product, count * bytes);
		err = see(p, rows[i].bit);
		if (err)
			return err;
		memcpy((char *)&p->stats + rows[i].count, &count, sizeof(count));
		memcpy((char *)&p->stats + rows[i].bytes, &bytes, sizeof(bytes));
		return 1;
	}
	return 0;
}

/* Total                              =            2,097,152 */
static int parse_total(struct stats_parser *p, const char *s)
{
	const struct malloc_stats *st = &p->stats;
	bool map = p->seen >> SEEN_MAP & 1;
	uint64_t v, sum;
	int err;

	if (strcmp(s, STATS_MAP) == 0) {
		err = see(p, SEEN_MAP);
		p->stats.radix = true;
		return err ? err : 1;
	}
	if (!eat(&s, STATS_TOTAL) || !eat_value(&s, &v) || !(p->seen >> SEEN_UNUSED & 1))
		return 0;
	sum = map ? st->map_root_bytes + st->map_mid_bytes + st->map_bot_bytes : stats_total(st);
	if (v != sum)
		return bad_value(p, v, sum);
	err = see(p, map ? SEEN_MAP_TOTAL : SEEN_TOTAL);
	return err ? err : 1;
}

/*    5 free 1-sized PyTupleObjects * 32 bytes each =                  160 */
static int parse_free_list(struct stats_parser *p, const char *s)
{
	struct malloc_stats *st = &p->stats;
	struct free_list l = {0};
	const char *name, *end;
	uint64_t product, tuple;

	eat_blanks(&s);
	if (!eat_number(&s, false, &l.count) || !eat(&s, " free "))
		return 0;
	name = s;
	end = strstr(s, "s * ");
	if (!end || end == name || (size_t)(end - name) >= sizeof(l.type))
		return 0;
	for (const char *c = name; c < end; c++)
		if (!isalnum((unsigned char)*c) && !strchr(" _-", *c))
			return 0;
	memcpy(l.type, name, (size_t)(end - name));
	s = end + strlen("s * ");
	if (!eat_number(&s, false, &l.item_bytes) || !eat(&s, " bytes each") ||
	    !eat_value(&s, &product))
		return 0;
	if (product != l.count * l.item_bytes)
		return bad_value(p, product, l.count * l.item_bytes);
	for (size_t i = 0; i < st->nr_free_lists; i++)
		if (strcmp(st->free_lists[i].type, l.type) == 0)
			return fault_set(p->fault, EINVAL,
					 "line %u begins a second text: one at a time can be read",
					 p->line);
	name = l.type;
	if (eat_number(&name, false, &tuple) && strcmp(name, "-sized PyTupleObject") == 0) {
		if (tuple != p->tuple + 1)
			return fault_set(p->fault, EINVAL,
					 "line %u: no line of %u-sized tuples above it", p->line,
					 p->tuple + 1);
		p->tuple++;
	}
	if (st->nr_free_lists == STATS_MAX_FREE_LISTS)
		return fault_set(p->fault, E2BIG, "line %u: more than %d free lists", p->line,
				 STATS_MAX_FREE_LISTS);
	st->free_lists[st->nr_free_lists++] = l;
	return 1;
}

static int parse_line(struct stats_parser *p, const char *s)
{
	static int (*const parsers[])(struct stats_parser *, const char *) = {
		parse_threshold, parse_table, parse_label,
		parse_product,	 parse_total, parse_free_list,
	};

	for (size_t i = 0; i < ARRAY_SIZE(parsers); i++) {
		int n = parsers[i](p, s);

		if (n < 0)
			return n;
		if (n) {
			if (i > 1)
				p->in_table = false;
			return 0;
		}
	}
	return 0;
}

int stats_parse(struct malloc_stats *ret, const char *text, size_t len, struct fault *f)
{
	struct stats_parser p = {.fault = f};
	const char *end = text + len;
	int err;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((newline ? newline : end) - text);
		char line[160]; /* the longest of ours has 72 columns */

		p.line++;
		if (n && text[n - 1] == '\r')
			n--;
		if (n < sizeof(line)) {
			memcpy(line, text, n);
			line[n] = 0;
			err = parse_line(&p, line);
			if (err)
				return err;
		}
		text = newline ? newline + 1 : end;
	}
	if (!p.seen && !p.stats.nr_free_lists)
		return fault_set(f, EINVAL, "no text of sys._debugmallocstats() in it");
	err = stats_check_whole(&p);
	if (err)
		return err;
	*ret = p.stats;
	return 0;
}
