/* SPDX-License-Identifier: MIT */
/* The field tables of `calls`. Of a function the names are those of --sort (calls_columns). */
#include "output/tables.h"

#include "output/table_rows.h"

/* clang-format off */
static const struct field calls_rows[] = {
	ROW("begin_ns", FIELD_I64, calls, begin_ns, "when counting began, since 1970 UTC"),
	ROW("end_ns", FIELD_I64, calls, end_ns, "when it ended"),
	ROW("stopped", FIELD_TEXT, calls, stopped,
	    "why it ended before its time; null: it did not"),
	ROW("batched", FIELD_BOOL, calls, batched,
	    "the kernel counted RSS in steps of 64 pages per thread and kind"),
	ROW("timed", FIELD_BOOL, calls, timed, "time was measured (--time)"),
	ROW("exits", FIELD_BOOL, calls, exits,
	    "exits were watched; else a call's end was learnt from what ran next"),
	ROW("host", FIELD_TEXT, calls, host, "kernel and name of the machine"),
	ROW("program", FIELD_TEXT, calls, program, "what counted"),
	ROW("entries", FIELD_U64, calls, entries, "hits of probes of entries"),
	ROW("exits_seen", FIELD_U64, calls, exits_seen, "hits of probes of exits"),
	ROW("repeated", FIELD_U64, calls, repeated,
	    "entries that a second probe saw too, counted once; no loss"),
	ROW("stray", FIELD_U64, calls, stray, "hits at which no call begins or ends; no loss"),
	ROW("cost_ns", FIELD_U64, calls, cost_ns,
	    "what the probes cost all processes together: hits times what one costs here"),
};
TABLE(calls);

static const struct field call_losses_rows[] = {
	ROW("unread", FIELD_U64, calls, unread,
	    "entries and exits whose frame or code object could not be read"),
	ROW("reset", FIELD_U64, calls, reset,
	    "times that a thread's stack was another than any known: its open calls were given up"),
	ROW("full", FIELD_U64, calls, full, "entries that found no room in a table"),
	ROW("log_lost", FIELD_U64, calls, log_lost, "events that did not fit the log's buffer"),
	ROW("names_lost", FIELD_U64, calls, names_lost,
	    "code objects gone before their names could be read"),
};
TABLE(call_losses);

static const struct field call_process_rows[] = {
	ROW("pid", FIELD_I32, call_process, pid, "process id"),
	ROW("command", FIELD_TEXT, call_process, command, "arguments joined by spaces"),
	ROW("python", FIELD_TEXT, call_process, python, "its interpreter"),
	ROW("rss_before_bytes", FIELD_BYTES, call_process, rss_before, "resident at first"),
	ROW("rss_after_bytes", FIELD_BYTES, call_process, rss_after, "resident at last"),
	ROW("ended", FIELD_BOOL, call_process, ended, "it ended while its calls were counted"),
};
TABLE(call_process);

static const struct field call_function_rows[] = {
	ROW("pid", FIELD_I32, call_function_record, f.pid, "process id"),
	ROW("name", FIELD_TEXT, call_function_record, name,
	    "qualified since 3.11; null: gone before it was read"),
	ROW("file", FIELD_TEXT, call_function_record, file, "source file, null: not known"),
	ROW("first_line", FIELD_MAYBE, call_function_record, first_line, "where it begins"),
	ROW("self", FIELD_I64, call_function_record, self,
	    "bytes of RSS, growth less shrink"),
	ROW("growth", FIELD_I64, call_function_record, f.growth,
	    "bytes that came in it, and in calls from it that are not shown"),
	ROW("shrink", FIELD_I64, call_function_record, f.shrink, "bytes that went there"),
	ROW("total", FIELD_I64, call_function_record, f.total,
	    "net bytes while it was on the stack; recursion counts once"),
	ROW("calls", FIELD_U64, call_function_record, f.calls, "entries at its start"),
	ROW("resumes", FIELD_U64, call_function_record, f.resumes,
	    "entries of a generator or coroutine behind a yield"),
	ROW("returns", FIELD_MAYBE, call_function_record, returns,
	    "ends by return; null where exits were not watched"),
	ROW("yields", FIELD_MAYBE, call_function_record, yields, "ends by yield or await; or null"),
	ROW("unwinds", FIELD_MAYBE, call_function_record, unwinds, "ends by exception; or null"),
	ROW("lost", FIELD_U64, call_function_record, f.lost,
	    "entries of which neither the end nor what followed was seen"),
	ROW("open", FIELD_U64, call_function_record, f.open, "entries that had not ended"),
	ROW("arenas", FIELD_U64, call_function_record, f.arenas, "pymalloc arenas taken, as self"),
	ROW("pools", FIELD_U64, call_function_record, f.pools, "pymalloc pools taken, as self"),
	ROW("self_ns", FIELD_MAYBE, call_function_record, self_ns,
	    "time in it, without calls that are shown; null without --time"),
	ROW("total_ns", FIELD_MAYBE, call_function_record, total_ns,
	    "time while it was on the stack; null without --time"),
};
TABLE(call_function);

static const struct field call_site_rows[] = {
	ROW("pid", FIELD_I32, call_site_record, site.pid, "one that runs this interpreter"),
	ROW("name", FIELD_TEXT, call_site_record, site.name, "where the probe is"),
	ROW("instruction", FIELD_TEXT, call_site_record, site.instruction, "what it stands on"),
	ROW("emulated", FIELD_BOOL, call_site_record, site.emulated,
	    "the kernel emulates that; else it is single-stepped, ten times as slow"),
	ROW("cost_ns", FIELD_MAYBE, call_site_record, cost_ns,
	    "what a hit costs, measured; null: not"),
};
TABLE(call_site);
/* clang-format on */
