/* SPDX-License-Identifier: MIT */
/*
 * THE OPTION TABLE and its parser, by glibc's argp. One row per option; a command's bits say which
 * it takes, the others are refused with the names of the commands that take them.
 */
#include "cmd/cmd.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "cmd/option_values.h"
#include "output/profile_out.h"

#include <argp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
	KEY_CHILDREN = 256,
	KEY_FORMAT,
	KEY_PAUSE,
	KEY_STRICT,
	KEY_TOP,
	KEY_SORT,
	KEY_INCLUDE,
	KEY_EXCLUDE,
	KEY_AS_ROOT,
	KEY_EVENT,
	KEY_EXACT,
	KEY_STACKS,
	KEY_INVERTED,
	KEY_BY,
	KEY_MIN,
	KEY_DEPTH,
	KEY_TID,
	KEY_LOG,
	KEY_THRESHOLD,
	KEY_TIME,
	KEY_MAX_OVERHEAD,
	KEY_ALLOW_SLOW,
	KEY_NO_EXITS,
	KEY_MAP,
	KEY_HELP
};

static const struct {
	struct argp_option argp;
	unsigned int bit; /* 0: every command */
} rows[] = {
	{{"pid", 'p', "PID[,PID...]", 0, "processes to look at, by host PID", 1}, OPT_PID},
	{{"children", KEY_CHILDREN, 0, 0, "their descendants too, present and future", 1},
	 OPT_CHILDREN},
	{{"as-root", KEY_AS_ROOT, 0, 0, "run PROGRAM as root, not as the user behind sudo", 1},
	 OPT_PROGRAM},
	{{"interval", 'i', "SECONDS", 0, "time between reports", 2}, OPT_INTERVAL},
	{{"reports", 'n', "REPORTS", 0, "end after so many", 2}, OPT_REPORTS},
	{{"duration", 'd', "SECONDS", 0, "end after this time (90s, 5m, 1h)", 2}, OPT_DURATION},
	{{"event", KEY_EVENT, "EVENT[,EVENT]", 0,
	  "rss, arena, pool, fault, mmap...: 'list' says what there is", 2},
	 OPT_EVENT},
	{{"exact", KEY_EXACT, 0, 0, "look at every change of RSS, not at a sample", 2}, OPT_RECORD},
	{{"stacks", KEY_STACKS, "N", 0, "room for so many stacks (16384)", 2}, OPT_RECORD},
	{{"depth", KEY_DEPTH, "N", 0, "show calls in so many others, not deeper ones", 2},
	 OPT_CALLS},
	{{"tid", KEY_TID, "TID[,TID...]", 0, "only these threads", 2}, OPT_CALLS},
	{{"time", KEY_TIME, 0, 0, "the time in each function, too", 2}, OPT_CALLS},
	{{"log", KEY_LOG, "DIR", 0, "write what happened, a file for each thread", 2}, OPT_CALLS},
	{{"threshold", KEY_THRESHOLD, "SIZE", 0,
	  "... when RSS has changed by so much (a page); 0: all", 2},
	 OPT_CALLS},
	{{"no-exits", KEY_NO_EXITS, 0, 0, "half the probes: ends are learnt from what runs next",
	  2},
	 OPT_CALLS},
	{{"max-overhead", KEY_MAX_OVERHEAD, "PERCENT", 0, "end when it costs more than this", 2},
	 OPT_CALLS},
	{{"allow-slow", KEY_ALLOW_SLOW, 0, 0, "also where a probe costs 10 us instead of 1", 2},
	 OPT_CALLS},
	{{"inverted", KEY_INVERTED, 0, 0, "the tree from the functions to their callers", 3},
	 OPT_TREE},
	{{"by", KEY_BY, "thread", 0, "a tree for each thread", 3}, OPT_TREE},
	{{"min", KEY_MIN, "BYTES", 0, "leave out what is smaller (4K, 10M, 1G)", 3}, OPT_TREE},
	{{"map", KEY_MAP, 0, 0, "a picture of arenas and heaps by address instead", 3}, OPT_MAP},
	{{"output", 'o', "FILE", 0, "write here instead of stdout", 3}, OPT_OUTPUT},
	{{"force", 'f', 0, 0, "replace FILE if it exists", 3}, OPT_OUTPUT},
	{{"format", KEY_FORMAT, "FORMAT", 0, "output format", 3}, OPT_FORMAT},
	{{"top", KEY_TOP, "N", 0, "rows of ranked tables; 0 none, 'all'", 3}, OPT_TOP},
	{{"sort", KEY_SORT, "COLUMN", 0, "order by this JSON field", 3}, OPT_SORT},
	{{"include", KEY_INCLUDE, "GLOB", 0, "only processes whose command matches", 3}, OPT_GLOB},
	{{"exclude", KEY_EXCLUDE, "GLOB", 0, "no process whose command matches", 3}, OPT_GLOB},
	{{"include", KEY_INCLUDE, "GLOB", 0, "only functions whose name or file matches", 3},
	 OPT_FUNCTIONS},
	{{"exclude", KEY_EXCLUDE, "GLOB", 0, "no function whose name or file matches", 3},
	 OPT_FUNCTIONS},
	{{"pause", KEY_PAUSE, 0, 0, "stop the process for the milliseconds of a read", 4},
	 OPT_PAUSE},
	{{"strict", KEY_STRICT, 0, 0, "exit 3 if anything was lost; no unmeasured layout", 4},
	 OPT_STRICT},
	{{"quiet", 'q', 0, 0, "no notes on stderr", 5}, 0},
	{{"verbose", 'v', 0, 0, "more; twice: debug output, three times: libbpf's", 5}, 0},
	{{"help", KEY_HELP, 0, 0, "this text", 5}, 0},
};

struct parse {
	struct options *o;
	const struct command *c;
	int stopped; /* argv index behind the word that is no option */
};

void options_usage(const struct command *c, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "pymemtrace-bpf %s: ", c->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nhint: pymemtrace-bpf %s --help\n", c->name);
	exit(EXIT_USAGE);
}

/* Two rows may have one key: an option that means another thing to some commands. */
static bool takes(const struct command *c, int key)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].argp.key == key && (!rows[i].bit || c->takes & rows[i].bit))
			return true;
	return false;
}

static void refuse(const struct command *c, size_t row)
{
	char takers[256] = "";

	for (const struct command *const *other = commands; *other; other++)
		if (takes(*other, rows[row].argp.key)) {
			size_t n = strlen(takers);

			snprintf(takers + n, sizeof(takers) - n, "%s%s", n ? ", " : "",
				 (*other)->name);
		}
	if (rows[row].argp.key < 256)
		options_usage(c, "-%c is not an option of this command, but of: %s",
			      rows[row].argp.key, takers);
	options_usage(c, "--%s is not an option of this command, but of: %s", rows[row].argp.name,
		      takers);
}

static bool is_word_of(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *w = words; w && n; w = strchr(w, ' '), w = w ? w + 1 : NULL)
		if (!strncmp(w, word, n) && (w[n] == ' ' || !w[n]))
			return true;
	return false;
}

static void print_help(const struct command *c)
{
	printf("Usage: pymemtrace-bpf %s %s\n%s.\n\n", c->name, c->args_doc, c->summary);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct argp_option *a = &rows[i].argp;
		char left[64], key[8] = "   ";

		if (rows[i].bit && !(c->takes & rows[i].bit))
			continue;
		if (a->key < 256)
			snprintf(key, sizeof(key), "-%c,", a->key);
		snprintf(left, sizeof(left), "%s --%s%s%s", key, a->name, a->arg ? " " : "",
			 a->arg ? a->arg : "");
		printf("  %-28s %s", left, a->doc);
		if (a->key == KEY_FORMAT)
			printf(": %s", c->formats);
		putchar('\n');
	}
	if (c->doc)
		printf("\n%s", c->doc);
	exit(report_printed(0));
}

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
	struct parse *p = state->input;
	const struct command *c = p->c;
	struct options *o = p->o;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].argp.key == key && !takes(c, key))
			refuse(c, i);
	switch (key) {
	case 'p':
		option_ids(c, "-p", "PID", arg, &o->pids, &o->nr_pids);
		break;
	case KEY_CHILDREN:
		o->children = true;
		break;
	case KEY_AS_ROOT:
		o->as_root = true;
		break;
	case 'i':
		if (text_parse_time(arg, &o->interval_ns) || o->interval_ns < 10000000)
			options_usage(c, "-i %s: not a time of 10 ms or more (5, 0.5, 90s, 5m, 1h)",
				      arg);
		o->has_interval = true;
		break;
	case 'n':
		if (text_parse_u64(arg, 1, UINT32_MAX, &o->reports))
			options_usage(c, "-n %s: not a number of reports (1 or more)", arg);
		break;
	case 'd':
		if (text_parse_time(arg, &o->duration_ns))
			options_usage(c, "-d %s: not a time (5, 0.5, 90s, 5m, 1h)", arg);
		break;
	case 'o':
		if (!*arg)
			options_usage(c, "-o: an empty file name");
		o->output = arg;
		break;
	case 'f':
		o->force = true;
		break;
	case KEY_FORMAT:
		if (!is_word_of(c->formats, arg))
			options_usage(c, "--format %s: not one of: %s", arg, c->formats);
		o->format = arg;
		break;
	case KEY_TOP:
		if (!strcmp(arg, "all"))
			o->top = TOP_ALL;
		else if (text_parse_u64(arg, 0, UINT32_MAX, &o->top))
			options_usage(c, "--top %s: neither a number nor 'all'", arg);
		break;
	case KEY_SORT:
		o->sort = arg;
		break;
	case KEY_EVENT:
		o->events = option_events(c, arg);
		break;
	case KEY_EXACT:
		o->exact = true;
		break;
	case KEY_STACKS:
		if (text_parse_u64(arg, 16, 1 << 20, &o->stacks))
			options_usage(c, "--stacks %s: not a number from 16 to %d", arg, 1 << 20);
		break;
	case KEY_INVERTED:
		o->inverted = true;
		break;
	case KEY_BY:
		if (strcmp(arg, "thread") != 0)
			options_usage(c, "--by %s: not 'thread'", arg);
		o->by_thread = true;
		break;
	case KEY_MIN:
		if (text_parse_size(arg, &o->min_bytes))
			options_usage(c, "--min %s: not a size (4096, 4K, 10M, 1G)", arg);
		break;
	case KEY_DEPTH:
		if (text_parse_u64(arg, 1, UINT32_MAX, &o->calls.depth))
			options_usage(c, "--depth %s: not a number of calls (1 or more)", arg);
		break;
	case KEY_TID:
		option_ids(c, "--tid", "TID", arg, &o->calls.tids, &o->calls.nr_tids);
		break;
	case KEY_TIME:
		o->calls.time = true;
		break;
	case KEY_LOG:
		if (!*arg)
			options_usage(c, "--log: an empty name");
		o->calls.log = arg;
		break;
	case KEY_THRESHOLD:
		if (text_parse_size(arg, &o->calls.threshold))
			options_usage(c, "--threshold %s: not a size (0, 4096, 4K, 10M)", arg);
		o->calls.has_threshold = true;
		break;
	case KEY_NO_EXITS:
		o->calls.no_exits = true;
		break;
	case KEY_MAX_OVERHEAD:
		o->calls.max_overhead = option_percent(c, "--max-overhead", arg);
		break;
	case KEY_ALLOW_SLOW:
		o->calls.allow_slow = true;
		break;
	case KEY_INCLUDE:
		option_glob(c, arg, &o->include);
		break;
	case KEY_EXCLUDE:
		option_glob(c, arg, &o->exclude);
		break;
	case KEY_MAP:
		o->map = true;
		break;
	case KEY_PAUSE:
		o->pause = true;
		break;
	case KEY_STRICT:
		o->strict = true;
		break;
	case 'q':
		o->quiet = true;
		log_level = LOG_QUIET;
		break;
	case 'v':
		o->verbose++;
		log_level = min(o->verbose, (int)LOG_TRACE);
		break;
	case KEY_HELP:
		print_help(c);
		break;
	case ARGP_KEY_ARG: {
		char **more = realloc(o->args, (o->nr_args + 1) * sizeof(*more));

		if (!more)
			abort();
		o->args = more;
		o->args[o->nr_args++] = arg;
		break;
	}
	case ARGP_KEY_ERROR:
		p->stopped = state->next;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* The suffix of -o chooses the format where --format does not. */
static const char *format_of_suffix(const struct command *c, const char *path)
{
	const struct profile_format *profile = profile_format_of_file(path);
	const char *dot = strrchr(path, '.');

	if (profile && is_word_of(c->formats, profile->name))
		return profile->name;
	return dot && is_word_of(c->formats, dot + 1) ? dot + 1 : NULL;
}

static void check(const struct command *c, struct options *o)
{
	uint64_t pid;

	if (o->nr_args && !(c->takes & (OPT_FILES | OPT_FILE))) {
		if (!text_parse_u64(o->args[0], 1, PID_LIMIT, &pid))
			options_usage(c, "'%s' is not an option; did you mean -p %s?", o->args[0],
				      o->args[0]);
		options_usage(c, "'%s' is neither a command nor an option", o->args[0]);
	}
	if (c->takes & OPT_FILES && o->nr_args != 2)
		options_usage(c, "needs two files, not %zu", o->nr_args);
	if (c->takes & OPT_FILE && o->nr_args != 1)
		options_usage(c, "needs a file%s", o->nr_args ? ", and only one" : "");
	if (o->program && !(c->takes & OPT_PROGRAM))
		options_usage(c, "this command starts no program");
	if (o->program && o->nr_pids)
		options_usage(c, "-p and a program to start exclude each other");
	if (o->program && !o->program[0])
		options_usage(c, "-- needs a program");
	if (o->as_root && !o->program)
		options_usage(c, "--as-root needs -- PROGRAM");
	if (c->takes & OPT_PROGRAM && !o->nr_pids && !o->program)
		options_usage(c, "needs -p PID, or -- PROGRAM");
	if (c->takes & OPT_PID && !(c->takes & (OPT_PROGRAM | OPT_SORT)) && !o->nr_pids)
		options_usage(c, "needs -p PID");
	if (o->force && !o->output)
		options_usage(c, "-f needs -o FILE");
	if (!o->format) {
		if (o->output)
			o->format = format_of_suffix(c, o->output);
		if (!o->format) {
			o->format = strdup(c->formats);
			if (!o->format)
				abort();
			((char *)o->format)[strcspn(o->format, " ")] = 0;
		}
	}
}

/* argp's own words would name --usage, which is none of ours. word: where it stopped. */
static void bad_option(const struct command *c, const char *word)
{
	char shown[64];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct argp_option *a = &rows[i].argp;

		if (a->arg && word[0] == '-' &&
		    (word[1] == '-' ? !strcmp(word + 2, a->name) : word[1] == a->key && !word[2]))
			options_usage(c, "%s needs a value: %s", word, a->arg);
	}
	options_usage(c, "%s is not an option",
		      text_escape(shown, sizeof(shown), word, strlen(word)));
}

int options_parse(const struct command *c, int argc, char **argv, struct options *ret)
{
	struct argp_option options[ARRAY_SIZE(rows) + 1] = {0};
	const struct argp argp = {.options = options, .parser = parse_one};
	struct parse p = {.o = ret, .c = c};
	char name[64];

	*ret = (struct options){
		.command = c,
		.interval_ns = 5000000000ull,
		.top = TOP_DEFAULT,
		.stacks = 16384,
	};
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--")) {
			ret->program = argv + i + 1;
			argc = i;
			break;
		}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		options[i] = rows[i].argp;
	snprintf(name, sizeof(name), "pymemtrace-bpf %s", c->name);
	argv[0] = name;
	if (argp_parse(&argp, argc, argv, ARGP_NO_HELP | ARGP_NO_ERRS | ARGP_NO_EXIT, NULL, &p))
		bad_option(c, argv[p.stopped - (argv[p.stopped - 1][0] == '-')]);
	check(c, ret);
	return -1;
}

bool format_is(const struct options *o, const char *format)
{
	return !strcmp(o->format, format);
}
