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
#include "output/stats_lines.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

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

struct parser {
	struct malloc_stats stats;
	uint32_t seen; /* bit per line */
	unsigned int line;
	bool in_table;	    /* between the rule below the heading and the first value line */
	unsigned int tuple; /* size of the last "N-sized PyTupleObject", 0: none */
	struct fault *fault;
};

/*
 * The pieces of a line. Each advances *p behind what it took and returns true, or leaves it alone.
 */
static bool eat(const char **p, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*p, word, len) != 0)
		return false;
	*p += len;
	return true;
}

static bool eat_blanks(const char **p)
{
	const char *start = *p;

	*p += strspn(*p, " ");
	return *p > start;
}

/* Digits, with commas if the text has them there; larger than int64 is not a number of the text. */
static bool eat_number(const char **p, bool commas, uint64_t *ret)
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
static bool eat_value(const char **p, uint64_t *ret)
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

/* Returns 0, or a fault if the line was there already: then it is the second such text. */
static int see(struct parser *p, unsigned int bit)
{
	if (p->seen >> bit & 1)
		return fault_set(p->fault, EINVAL,
				 "line %u begins a second text: one at a time can be read", p->line);
	p->seen |= 1u << bit;
	return 0;
}

static int bad_value(struct parser *p, uint64_t printed, uint64_t expected)
{
	return fault_set(p->fault, EINVAL,
			 "line %u is damaged or cut short: %" PRIu64 " should be %" PRIu64, p->line,
			 printed, expected);
}

/* Small block threshold = 512, in 32 size classes. */
static int parse_threshold(struct parser *p, const char *s)
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
				 "line %u: this is mimalloc's account, which has no size classes of pymalloc",
				 p->line);
	if (!nr || nr > STATS_MAX_CLASSES || threshold > 1 << 16 || threshold % nr ||
	    !threshold)
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
static int parse_class(struct parser *p, const char *s)
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

static int parse_table(struct parser *p, const char *s)
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
static int parse_label(struct parser *p, const char *s)
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
static int parse_product(struct parser *p, const char *s)
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
static int parse_total(struct parser *p, const char *s)
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
static int parse_free_list(struct parser *p, const char *s)
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

static int parse_line(struct parser *p, const char *s)
{
	static int (*const parsers[])(struct parser *, const char *) = {
		parse_threshold, parse_table, parse_label, parse_product, parse_total,
		parse_free_list,
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

static bool has_list(const struct malloc_stats *s, const char *type)
{
	for (size_t i = 0; i < s->nr_free_lists; i++)
		if (strcmp(s->free_lists[i].type, type) == 0)
			return true;
	return false;
}

static int check_pymalloc(const struct parser *p)
{
	static const struct {
		unsigned int bit;
		const char *what;
	} needed[] = {
		{SEEN_THRESHOLD, "Small block threshold"},
		{SEEN_HEADING, "class   size"},
		{LINE_ARENAS_TOTAL, "# arenas allocated total"},
		{LINE_ARENAS_RECLAIMED, "# arenas reclaimed"},
		{LINE_ARENAS_HIGHWATER, "# arenas highwater mark"},
		{LINE_ARENAS_CURRENT, "# arenas allocated current"},
		{SEEN_ARENAS, "arenas * bytes/arena"},
		{LINE_ALLOCATED, "# bytes in allocated blocks"},
		{LINE_AVAILABLE, "# bytes in available blocks"},
		{SEEN_UNUSED, "unused pools"},
		{LINE_HEADERS, "# bytes lost to pool headers"},
		{LINE_QUANTIZATION, "# bytes lost to quantization"},
		{LINE_ALIGNMENT, "# bytes lost to arena alignment"},
		{SEEN_TOTAL, "Total"},
		{LINE_MAP_MID_NODES, "# arena map mid nodes"},
		{LINE_MAP_BOT_NODES, "# arena map bot nodes"},
		{LINE_MAP_ROOT_BYTES, "# bytes lost to arena map root"},
		{LINE_MAP_MID_BYTES, "# bytes lost to arena map mid"},
		{LINE_MAP_BOT_BYTES, "# bytes lost to arena map bot"},
		{SEEN_MAP_TOTAL, "Total of the arena map"},
	};
	const struct malloc_stats *s = &p->stats;
	uint64_t used = 0, avail = 0;

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		if (needed[i].bit == LINE_MAP_MID_NODES && !(p->seen >> SEEN_MAP & 1))
			break;
		if (!(p->seen >> needed[i].bit & 1))
			return fault_set(p->fault, EINVAL,
					 "text of sys._debugmallocstats() cut short: no line \"%s\"",
					 needed[i].what);
	}
	for (uint32_t i = 0; i < s->nr_classes; i++) {
		used += s->classes[i].used * (i + 1) * s->alignment;
		avail += s->classes[i].avail * (i + 1) * s->alignment;
	}
	if (used != s->allocated_bytes || avail != s->available_bytes)
		return fault_set(p->fault, EINVAL,
				 "damaged text: the rows of size classes do not add up to the bytes in blocks");
	if (s->arenas_reclaimed != s->arenas_total - s->arenas_current)
		return fault_set(p->fault, EINVAL,
				 "damaged text: arenas reclaimed is not total less current");
	return 0;
}

/*
 * The free lists end with tuples of 1 .. 19 items, since 3.11 of 1 .. 20 items; 3.11 also is the
 * first without a list of frames. Without them the text is cut, or of a build --without-freelists
 * (3.11, 3.12), which cannot be told from a cut one.
 */
static int check_free_lists(const struct parser *p)
{
	unsigned int last = has_list(&p->stats, "PyFrameObject") ? 19 : 20;
	static const char *const needed[] = {"PyDictObject", "PyFloatObject", "PyListObject"};

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!has_list(&p->stats, needed[i]))
			return fault_set(p->fault, EINVAL,
					 "text of sys._debugmallocstats() cut short: no line \"free %ss\"",
					 needed[i]);
	if (p->tuple < last)
		return fault_set(p->fault, EINVAL,
				 "text of sys._debugmallocstats() cut short: no line \"free %u-sized PyTupleObjects\"",
				 p->tuple + 1);
	return 0;
}

int stats_parse(struct malloc_stats *ret, const char *text, size_t len, struct fault *f)
{
	struct parser p = {.fault = f};
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
	if (p.seen) {
		err = check_pymalloc(&p);
		if (err)
			return err;
	}
	err = check_free_lists(&p);
	if (err)
		return err;
	*ret = p.stats;
	return 0;
}
