/* SPDX-License-Identifier: MIT */
/*
 * Lines of a log of calls. The widths are those of cPyMemTrace, which are minimal widths: a longer
 * name moves what follows it.
 *
 *	NEXT: 29           +27     0.128974     CALL     app.py <80>   12 shrink <32>     31485952         4096
 *	MSG:  30           +1      0.128974     # 12 events were lost
 *
 *	{"kind":"NEXT","event":29,"devent":27,"clock":0.128974,"what":"CALL","file":"app.py",
 *	 "line":12,"function":"shrink","rss":31485952,"drss":4096}
 *	{"kind":"MSG","event":30,"devent":1,"clock":0.128974,"text":"12 events were lost"}
 */
#include "output/call_log_line.h"

#include "base/cleanup.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

size_t call_line_header(char buf[static CALL_LINE_BYTES])
{
	return (size_t)snprintf(buf, CALL_LINE_BYTES,
				"SOF\nHDR: %-12s %-6s  %-12s %-8s %-80s %4s %-32s %12s %12s\n",
				"Event", "dEvent", "Clock", "What", "File", "Line", "Function",
				"RSS", "dRSS");
}

/* snprintf() returns what would have been written. */
static size_t written(int n)
{
	return min((size_t)n, (size_t)CALL_LINE_BYTES - 1);
}

size_t call_line_text(char buf[static CALL_LINE_BYTES], const char *kind, const struct call_line *l)
{
	double clock = (double)l->cpu_us / 1000000;

	if (l->message)
		return written(snprintf(buf, CALL_LINE_BYTES,
					"%s:  %-12" PRIu64 " +%-6" PRId64 " %-12.6f # %s\n", kind,
					l->nr, l->change, clock, l->message));
	return written(snprintf(buf, CALL_LINE_BYTES,
				"%s: %-12" PRIu64 " +%-6" PRId64 " %-12.6f %-8s %-80s %4d %-32s "
				"%12" PRId64 " %12" PRId64 "\n",
				kind, l->nr, l->change, clock, l->what, l->file, l->line,
				l->function, l->rss, l->rss_change));
}

size_t call_line_json(char buf[static CALL_LINE_BYTES], const char *kind, const struct call_line *l)
{
	double clock = (double)l->cpu_us / 1000000;
	json_t *o;
	size_t n;

	if (l->message)
		o = json_pack("{s:s, s:I, s:I, s:f, s:s}", "kind", kind, "event", (json_int_t)l->nr,
			      "devent", (json_int_t)l->change, "clock", clock, "text", l->message);
	else
		o = json_pack("{s:s, s:I, s:I, s:f, s:s, s:s, s:i, s:s, s:I, s:I}", "kind", kind,
			      "event", (json_int_t)l->nr, "devent", (json_int_t)l->change, "clock",
			      clock, "what", l->what, "file", l->file, "line", (int)l->line,
			      "function", l->function, "rss", (json_int_t)l->rss, "drss",
			      (json_int_t)l->rss_change);
	/* 15 digits are what a double has for sure: 0.128974, not 0.12897400000000001 */
	n = json_dumpb(o, buf, CALL_LINE_BYTES - 1, JSON_COMPACT | JSON_REAL_PRECISION(15));
	json_decref(o);
	if (!n || n >= CALL_LINE_BYTES)
		return 0;
	buf[n++] = '\n';
	return n;
}
