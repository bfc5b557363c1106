/* SPDX-License-Identifier: MIT */
/*
 * Is a parsed text of sys._debugmallocstats() whole? Every line CPython always prints must have
 * been there, and what CPython adds up must add up: so a text that was cut or lost lines is
 * noticed.
 */
#include "output/stats_parser.h"

#include "base/cleanup.h"
#include "base/fault.h"

#include <errno.h>

static bool has_list(const struct malloc_stats *s, const char *type)
{
	for (size_t i = 0; i < s->nr_free_lists; i++)
		if (strcmp(s->free_lists[i].type, type) == 0)
			return true;
	return false;
}

static int check_pymalloc(const struct stats_parser *p)
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
			return fault_set(
				p->fault, EINVAL,
				"text of sys._debugmallocstats() cut short: no line \"%s\"",
				needed[i].what);
	}
	for (uint32_t i = 0; i < s->nr_classes; i++) {
		used += s->classes[i].used * (i + 1) * s->alignment;
		avail += s->classes[i].avail * (i + 1) * s->alignment;
	}
	if (used != s->allocated_bytes || avail != s->available_bytes)
		return fault_set(p->fault, EINVAL,
				 "damaged text: the rows of size classes do not add up to the "
				 "bytes in blocks");
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
static int check_free_lists(const struct stats_parser *p)
{
	unsigned int last = has_list(&p->stats, "PyFrameObject") ? 19 : 20;
	static const char *const needed[] = {"PyDictObject", "PyFloatObject", "PyListObject"};

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!has_list(&p->stats, needed[i]))
			return fault_set(
				p->fault, EINVAL,
				"text of sys._debugmallocstats() cut short: no line \"free %ss\"",
				needed[i]);
	if (p->tuple < last)
		return fault_set(p->fault, EINVAL,
				 "text of sys._debugmallocstats() cut short: no line \"free "
				 "%u-sized PyTupleObjects\"",
				 p->tuple + 1);
	return 0;
}

int stats_check_whole(const struct stats_parser *p)
{
	int err = 0;

	if (p->seen)
		err = check_pymalloc(p);
	return err ? err : check_free_lists(p);
}
