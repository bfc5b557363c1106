/* SPDX-License-Identifier: MIT */
/*
 * THE FIELD TABLES (fields.h). To add a figure to an output, add its row: JSON, its schema, the
 * columns of `list` and --sort follow. Those of `calls` are in tables_calls.c.
 */
#include "output/tables.h"

#include "output/table_rows.h"

/* clang-format off */
static const struct field snapshot_rows[] = {
	ROW("time_ns", FIELD_I64, snapshot, time_ns, "end of the read, nanoseconds since 1970 UTC"),
	ROW("paused", FIELD_BOOL, snapshot, paused, "the process was stopped while it was read"),
	ROW("pause_ns", FIELD_I64, snapshot, pause_ns, "how long it was stopped"),
};
TABLE(snapshot);

static const struct field process_rows[] = {
	ROW("pid", FIELD_I32, process_id, pid, "process id as this program sees it"),
	ROW("ns_pid", FIELD_I32, process_id, ns_pid, "process id inside its own PID namespace"),
	ROW("ppid", FIELD_I32, process_id, ppid, "parent's process id"),
	ROW("start_ticks", FIELD_U64, process_id, start_ticks, "start time since boot in clock ticks"),
	ROW("comm", FIELD_TEXT, process_id, comm, "name of the process"),
	ROW("cmdline", FIELD_TEXT, process_id, cmdline, "arguments joined by spaces; \\xHH: raw byte"),
	ROW("exe", FIELD_TEXT, process_id, exe, "program file as the process sees it"),
	ROW("container", FIELD_TEXT, process_id, container, "container id or pod, null outside"),
};
TABLE(process);

static const struct field python_rows[] = {
	ROW("version", FIELD_VERSION, python_id, version_hex, "CPython version, null if not known"),
	ROW("debug_build", FIELD_BOOL, python_id, debug_build, "built with --with-pydebug"),
	ROW("free_threaded", FIELD_BOOL, python_id, free_threaded, "built without the GIL"),
	ROW("shared", FIELD_BOOL, python_id, shared, "the interpreter is in a libpython*.so"),
	ROW("shape", FIELD_SHAPE, python_id, shape, "how the interpreter's file presents itself"),
	ROW("allocator", FIELD_ALLOCATOR, python_id, allocator, "what serves PyObject_Malloc"),
	ROW("tracemalloc", FIELD_BOOL, python_id, tracemalloc, "tracemalloc is on"),
	ROW("interpreters", FIELD_U32, python_id, nr_interpreters, "main and sub-; 0: not counted"),
	WORDS("layout", python_id, layout, "which table of offsets was used"),
	ROW("layout_measured", FIELD_BOOL, python_id, layout_measured,
	    "the table was measured on this very release"),
};
TABLE(python);

static const struct field rss_rows[] = {
	ROW("anon_bytes", FIELD_BYTES, rss_record, rss.anon, "resident anonymous memory"),
	ROW("file_bytes", FIELD_BYTES, rss_record, rss.file, "resident file pages"),
	ROW("shmem_bytes", FIELD_BYTES, rss_record, rss.shmem, "resident shared memory"),
	ROW("swap_bytes", FIELD_BYTES, rss_record, rss.swap, "anonymous memory swapped out"),
	ROW("resident_bytes", FIELD_BYTES, rss_record, resident, "anon + file + shmem"),
};
TABLE(rss);

static const struct field losses_rows[] = {
	ROW("arenas_torn", FIELD_U64, read_losses, arenas_torn,
	    "arenas that never added up under any attempt to read them"),
	ROW("arenas_unsettled", FIELD_U64, read_losses, arenas_unsettled,
	    "arenas whose pools came and went while they were read; no loss"),
	ROW("moving", FIELD_BOOL, read_losses, moving,
	    "arenas came or went during every attempt: the sums span more than a moment"),
	ROW("pools_unread", FIELD_U64, read_losses, pools_unread,
	    "pools whose header is not in memory"),
	ROW("pools_invalid", FIELD_U64, read_losses, pools_invalid, "pool headers that cannot be"),
	ROW("freelists_unread", FIELD_U64, read_losses, freelists_unread,
	    "free lists that could not be read"),
	ROW("inconsistent", FIELD_BOOL, read_losses, inconsistent,
	    "the bytes of all arenas are not the sum of their parts"),
};
TABLE(losses);

static const struct field stats_sizes_rows[] = {
	ROW("threshold_bytes", FIELD_U32, malloc_stats, threshold, "largest block pymalloc serves"),
	ROW("nr_classes", FIELD_U32, malloc_stats, nr_classes, "number of size classes"),
	ROW("alignment_bytes", FIELD_U32, malloc_stats, alignment,
	    "block size of class i is (i + 1) times this"),
	ROW("arena_bytes", FIELD_U64, malloc_stats, arena_bytes, "size of one arena"),
	ROW("pool_bytes", FIELD_U64, malloc_stats, pool_bytes, "size of one pool"),
};
TABLE(stats_sizes);

static const struct field stats_rows[] = {
	ROW("arenas_total", FIELD_U64, malloc_stats, arenas_total, "arenas allocated, ever"),
	ROW("arenas_reclaimed", FIELD_U64, malloc_stats, arenas_reclaimed, "arenas given back"),
	ROW("arenas_highwater", FIELD_U64, malloc_stats, arenas_highwater, "most arenas at a time"),
	ROW("arenas_current", FIELD_U64, malloc_stats, arenas_current, "arenas allocated now"),
	ROW("allocated_bytes", FIELD_U64, malloc_stats, allocated_bytes, "in blocks in use"),
	ROW("available_bytes", FIELD_U64, malloc_stats, available_bytes,
	    "in free blocks of pools that are in use"),
	ROW("unused_pools", FIELD_U64, malloc_stats, unused_pools, "free pools"),
	ROW("header_bytes", FIELD_U64, malloc_stats, header_bytes, "lost to pool headers"),
	ROW("quantization_bytes", FIELD_U64, malloc_stats, quantization_bytes,
	    "lost at the ends of pools"),
	ROW("arena_alignment_bytes", FIELD_U64, malloc_stats, alignment_bytes,
	    "lost at the ends of arenas"),
};
TABLE(stats);

static const struct field arena_map_rows[] = {
	ROW("mid_nodes", FIELD_U64, malloc_stats, map_mid_nodes, "middle nodes"),
	ROW("bot_nodes", FIELD_U64, malloc_stats, map_bot_nodes, "bottom nodes"),
	ROW("root_bytes", FIELD_U64, malloc_stats, map_root_bytes, "bytes of the root"),
	ROW("mid_bytes", FIELD_U64, malloc_stats, map_mid_bytes, "bytes of middle nodes"),
	ROW("bot_bytes", FIELD_U64, malloc_stats, map_bot_bytes, "bytes of bottom nodes"),
};
TABLE(arena_map);

static const struct field class_rows[] = {
	ROW("class", FIELD_U32, class_record, index, "number of the size class"),
	ROW("block_bytes", FIELD_U32, class_record, block_bytes, "size of its blocks"),
	ROW("pools", FIELD_U64, class_record, figures.pools, "pools in use"),
	ROW("used_blocks", FIELD_U64, class_record, figures.used, "blocks in use"),
	ROW("free_blocks", FIELD_U64, class_record, figures.avail, "free blocks in those pools"),
};
TABLE(class);

static const struct field feature_rows[] = {
	ROW("name", FIELD_TEXT, feature_record, name, "as in PYMEMTRACE_WITHOUT"),
	ROW("available", FIELD_BOOL, feature_record, available, "it was tried, and works"),
	ROW("required", FIELD_BOOL, feature_record, required, "stat cannot fully work without it"),
	ROW("offers", FIELD_TEXT, feature_record, offers, "what it gives"),
	ROW("without", FIELD_TEXT, feature_record, without, "what is lost without it"),
	ROW("detail", FIELD_TEXT, feature_record, detail, "how it was tried, or why it fails"),
};
TABLE(feature);

static const struct field free_list_rows[] = {
	WORDS("type", free_list, type, "what the list keeps"),
	ROW("count", FIELD_U64, free_list, count, "objects in the list"),
	ROW("item_bytes", FIELD_U64, free_list, item_bytes, "size of one"),
};
TABLE(free_list);

#define LIST(name_, type_, member_, help_, column_, right_) \
	{.name = name_, .type = type_, .offset = offsetof(struct list_row, member_), \
	 .help = help_, .column = column_, .right = right_}

static const struct field list_rows[] = {
	LIST("pid", FIELD_I32, process.pid, "process id", "PID", true),
	LIST("ns_pid", FIELD_I32, process.ns_pid, "process id inside its container", "NSPID", true),
	LIST("ppid", FIELD_I32, process.ppid, "parent's process id", "PPID", true),
	LIST("container", FIELD_TEXT, process.container, "container id or pod", "CONTAINER", false),
	LIST("version", FIELD_VERSION, python.version_hex, "CPython version", "PYTHON", false),
	LIST("shape", FIELD_SHAPE, python.shape, "build: symbols, debug file, stripped", "BUILD",
	     false),
	LIST("allocator", FIELD_ALLOCATOR, python.allocator, "what serves PyObject_Malloc",
	     "ALLOCATOR", false),
	LIST("arenas", FIELD_MAYBE, arenas, "pymalloc arenas now", "ARENAS", true),
	LIST("rss", FIELD_BYTES, resident, "resident bytes", "RSS", true),
	LIST("supported", FIELD_BOOL, supported, "its allocator can be read", "SUPPORTED", false),
	{.name = "reason", .type = FIELD_WORDS, .offset = offsetof(struct list_row, reason),
	 .size = sizeof(((struct list_row *)0)->reason), .help = "why it is not supported"},
	LIST("anon_bytes", FIELD_BYTES, rss.anon, "resident anonymous memory", NULL, true),
	LIST("file_bytes", FIELD_BYTES, rss.file, "resident file pages", NULL, true),
	LIST("shmem_bytes", FIELD_BYTES, rss.shmem, "resident shared memory", NULL, true),
	LIST("swap_bytes", FIELD_BYTES, rss.swap, "swapped out", NULL, true),
	LIST("debug_build", FIELD_BOOL, python.debug_build, "--with-pydebug", NULL, false),
	LIST("free_threaded", FIELD_BOOL, python.free_threaded, "built without the GIL", NULL, false),
	{.name = "layout", .type = FIELD_WORDS, .offset = offsetof(struct list_row, python.layout),
	 .size = sizeof(((struct list_row *)0)->python.layout),
	 .help = "release that the layout was measured on"},
	LIST("exe", FIELD_TEXT, process.exe, "program file", NULL, false),
	LIST("command", FIELD_TEXT, process.cmdline, "arguments", "COMMAND", false),
};
TABLE(list);

static const struct field change_rows[] = {
	ROW("time_ns", FIELD_I64, report_change, time_ns, "end of the interval, since 1970 UTC"),
	ROW("interval_ns", FIELD_I64, report_change, interval_ns, "its length"),
	ROW("total", FIELD_BOOL, report_change, total, "the interval is the time since attach"),
	ROW("pid", FIELD_I32, report_change, pid, "process id"),
};
TABLE(change);

static const struct field arena_events_rows[] = {
	ROW("arenas_taken_events", FIELD_U64, report_change, arenas_taken, "arenas taken"),
	ROW("arenas_released_events", FIELD_U64, report_change, arenas_released, "arenas released"),
	ROW("arenas_current", FIELD_U64, report_change, arenas_current, "arenas at the end"),
	ROW("arenas_failed", FIELD_U64, report_change, arenas_failed, "calls that got no arena"),
	ROW("chunks_taken", FIELD_U64, report_change, chunks_taken, "data-stack chunks taken"),
	ROW("chunks_released", FIELD_U64, report_change, chunks_released, "and released"),
	ROW("other_arenas_taken", FIELD_U64, report_change, other_taken,
	    "arenas taken by interpreters with an allocator of their own"),
	ROW("other_arenas_released", FIELD_U64, report_change, other_released, "and released"),
};
TABLE(arena_events);

static const struct field arena_state_rows[] = {
	ROW("arenas_taken_from_state", FIELD_U64, report_change, arenas_taken,
	    "growth of the process's own count of arenas allocated"),
	ROW("arenas_released_from_state", FIELD_U64, report_change, arenas_released,
	    "growth of its own count of arenas given back"),
	ROW("arenas_current", FIELD_U64, report_change, arenas_current, "arenas at the end"),
};
TABLE(arena_state);

static const struct field health_rows[] = {
	ROW("arena_events_disagreed", FIELD_U64, report_health, events_disagreed,
	    "arena events disagree with the target's counters"),
	ROW("arena_events_unread", FIELD_U64, report_health, events_unread,
	    "arena events whose counters could not be read"),
	ROW("state_disagreed", FIELD_U64, report_health, state_disagreed,
	    "reads of state disagree with the arena events counted"),
	ROW("records_lost", FIELD_U64, report_health, records_lost,
	    "fork, exec and exit records dropped"),
	ROW("targets_lost", FIELD_U64, report_health, targets_lost,
	    "children could not be watched: map full"),
	ROW("rss_lost", FIELD_U64, report_health, rss_lost,
	    "address spaces whose RSS could not be followed: map full"),
	ROW("arenas_torn", FIELD_U64, report_health, read.arenas_torn,
	    "arenas that never added up while they were read"),
	ROW("arenas_unsettled", FIELD_U64, report_health, read.arenas_unsettled,
	    "arenas whose pools came and went while they were read; no loss"),
	ROW("moving", FIELD_BOOL, report_health, read.moving,
	    "arenas came or went during every attempt; no loss, but no single moment either"),
	ROW("pools_unread", FIELD_U64, report_health, read.pools_unread,
	    "pools whose header is not in memory (swapped out)"),
	ROW("pools_invalid", FIELD_U64, report_health, read.pools_invalid,
	    "pool headers that cannot be"),
	ROW("freelists_unread", FIELD_U64, report_health, read.freelists_unread,
	    "free lists that could not be read"),
	ROW("inconsistent", FIELD_BOOL, report_health, read.inconsistent,
	    "the bytes of all arenas are not the sum of their parts"),
};
TABLE(health);

static const struct field profile_rows[] = {
	ROW("begin_ns", FIELD_I64, profile, begin_ns, "when recording began, since 1970 UTC"),
	ROW("end_ns", FIELD_I64, profile, end_ns, "when it ended"),
	ROW("exact", FIELD_BOOL, profile, exact, "every change has its stack; else sampled"),
	ROW("batched", FIELD_BOOL, profile, batched,
	    "the kernel counted RSS in steps of 64 pages per thread and kind"),
	ROW("step_pages", FIELD_U32, profile, step_pages, "mean distance of samples; 1 when exact"),
	ROW("page_bytes", FIELD_U32, profile, page_bytes, "size of a page"),
	ROW("cut_short", FIELD_BOOL, profile, cut_short,
	    "the recording ends early: this is what it held up to there"),
	ROW("host", FIELD_TEXT, profile, host, "kernel and name of the machine"),
	ROW("program", FIELD_TEXT, profile, program, "what recorded it"),
	ROW("names_lost", FIELD_U64, profile, names_lost,
	    "code objects gone before their names could be read"),
	ROW("lines_lost", FIELD_U64, profile, lines_lost,
	    "code objects gone before their line tables could be read"),
};
TABLE(profile);

static const struct field profile_process_rows[] = {
	ROW("pid", FIELD_I32, profile_process, pid, "process id"),
	ROW("command", FIELD_TEXT, profile_process, command, "arguments joined by spaces"),
	ROW("python", FIELD_TEXT, profile_process, python, "its interpreter"),
	ROW("rss_before_bytes", FIELD_BYTES, profile_process, rss_before, "resident at first"),
	ROW("rss_after_bytes", FIELD_BYTES, profile_process, rss_after, "resident at last"),
	ROW("ended", FIELD_BOOL, profile_process, ended, "it ended while it was recorded"),
};
TABLE(profile_process);

static const struct field profile_change_rows[] = {
	ROW("growth_bytes", FIELD_BYTES, profile_change, growth, "bytes that came"),
	ROW("shrink_bytes", FIELD_BYTES, profile_change, shrink, "bytes that went"),
	ROW("events", FIELD_U64, profile_change, events, "changes seen; when sampled, samples"),
};
TABLE(profile_change);

static const struct field function_name_rows[] = {
	WORDS("kind", function_name_record, kind, "python, native or unnamed"),
	ROW("name", FIELD_TEXT, function_name_record, name,
	    "qualified since 3.11; of native ones the library; null: not known"),
	ROW("file", FIELD_TEXT, function_name_record, file, "source file, null: not known"),
	ROW("first_line", FIELD_MAYBE, function_name_record, first_line, "where it begins"),
};
TABLE(function_name);

static const struct field profile_thread_rows[] = {
	ROW("pid", FIELD_I32, profile_thread, pid, "process id"),
	ROW("tid", FIELD_I32, profile_thread, tid, "thread id"),
	WORDS("comm", profile_thread, comm, "its name in the kernel"),
};
TABLE(profile_thread);

static const struct field profile_row_rows[] = {
	WORDS("event", profile_row_record, event, "as in events"),
	WORDS("memory", profile_row_record, memory,
	      "what the event was about: anon, heap, stack, file, shmem, or unknown"),
	ROW("stack", FIELD_U32, profile_row_record, row.stack, "index in stacks"),
	ROW("thread", FIELD_U32, profile_row_record, row.thread, "index in threads"),
	ROW("growth_bytes", FIELD_BYTES, profile_row_record, row.change.growth, "bytes that came"),
	ROW("shrink_bytes", FIELD_BYTES, profile_row_record, row.change.shrink, "bytes that went"),
	ROW("events", FIELD_U64, profile_row_record, row.change.events,
	    "changes seen; when sampled, samples"),
	ROW("first_ns", FIELD_I64, profile_row_record, row.first_ns, "when the first was seen"),
	ROW("last_ns", FIELD_I64, profile_row_record, row.last_ns, "when the last was seen"),
};
TABLE(profile_row);

static const struct field profile_arena_rows[] = {
	ROW("pid", FIELD_I32, profile_arena_record, arena.pid, "process id"),
	ROW("address", FIELD_U64, profile_arena_record, arena.address, "where it is"),
	ROW("bytes", FIELD_U64, profile_arena_record, arena.bytes, "its size"),
	ROW("used_bytes", FIELD_U64, profile_arena_record, arena.used_bytes, "in blocks in use"),
	ROW("pools", FIELD_U32, profile_arena_record, arena.pools, "pools that it has"),
	ROW("free_pools", FIELD_U32, profile_arena_record, arena.free_pools, "of them unused"),
	ROW("stack", FIELD_MAYBE, profile_arena_record, stack,
	    "who opened it, index in stacks; null: before attach"),
	ROW("thread", FIELD_MAYBE, profile_arena_record, thread, "index in threads, or null"),
	ROW("opened_ns", FIELD_MAYBE, profile_arena_record, opened_ns,
	    "when; null: before attach"),
};
TABLE(profile_arena);

static const struct field function_rows[] = {
	WORDS("event", function_record, event, "as in events"),
	ROW("function", FIELD_TEXT, function_record, function, "name, or <native: library>"),
	ROW("file", FIELD_TEXT, function_record, file, "source file, null: not known"),
	ROW("first_line", FIELD_MAYBE, function_record, first_line, "where it begins"),
	ROW("hot_line", FIELD_MAYBE, function_record, hot_line,
	    "that of its lines where most growth was its own"),
	ROW("self_bytes", FIELD_BYTES, function_record, self, "growth less shrinkage in it"),
	ROW("self_growth_bytes", FIELD_BYTES, function_record, self_change.growth, "growth in it"),
	ROW("self_shrink_bytes", FIELD_BYTES, function_record, self_change.shrink,
	    "shrinkage in it"),
	ROW("self_error_bytes", FIELD_BYTES, function_record, error,
	    "one standard error of self_bytes, from sampling; 0 when exact"),
	ROW("total_bytes", FIELD_BYTES, function_record, total,
	    "growth less shrinkage in it and what it calls"),
	ROW("total_growth_bytes", FIELD_BYTES, function_record, total_change.growth,
	    "growth in it and what it calls"),
	ROW("total_shrink_bytes", FIELD_BYTES, function_record, total_change.shrink,
	    "shrinkage in it and what it calls"),
	ROW("events", FIELD_U64, function_record, self_change.events,
	    "changes in it; when sampled, samples"),
	ROW("total_events", FIELD_U64, function_record, total_change.events,
	    "in it and what it calls"),
};
TABLE(function);
/* clang-format on */
