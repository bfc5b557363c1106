/* SPDX-License-Identifier: MIT */
/* The table of commands, and nothing else. */
#include "base/text.h"
#include "base/version.h"
#include "cmd/cmd.h"
#include "output/json.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first is what runs when none is named. */
const struct command *const commands[] = {
	&cmd_stat, &cmd_record, &cmd_calls,  &cmd_explain, &cmd_snapshot,
	&cmd_list, &cmd_doctor, &cmd_report, &cmd_diff,	   NULL,
};

static const char help[] =
	"Usage: pymemtrace-bpf [COMMAND] -p PID[,PID...] [OPTION...]\n"
	"       pymemtrace-bpf [stat|record|calls] [OPTION...] -- PROGRAM [ARG...]\n"
	"Explain the memory of running CPython processes, from outside. Run it as root.\n"
	"\n"
	"Look (only reads; costs the process nothing):\n"
	"  list         Python processes: pid, container, version, RSS, supported or why not\n"
	"  explain      where every resident byte is, and what would give it back\n"
	"  snapshot     what sys._debugmallocstats() would print in the process\n"
	"  doctor       what this kernel and these privileges allow\n"
	"Watch (BPF probes, about 1 %; calls costs more and says how much first):\n"
	"  stat         changes of RSS, arenas, pools and who made them     [the default]\n"
	"  record       collect the Python stacks that made memory grow\n"
	"  calls        RSS at entry and exit of functions\n"
	"Afterwards (no root, no process):\n"
	"  report FILE  show a saved file: text, svg, folded, pprof, speedscope, json\n"
	"  diff A B     what changed between two saved files of one kind\n"
	"\n"
	"  -p PID  -i SECONDS  -n REPORTS  -d SECONDS  -o FILE [-f]  --format FORMAT\n"
	"  --children  its descendants too      --pause     stop it while it is read\n"
	"  --top N     rows of ranked tables    --strict    exit 3 if anything was lost\n"
	"Exit: 0 ok (also when the process ends), 1 failed, 2 usage, 3 incomplete; else PROGRAM's\n"
	"Start: sudo pymemtrace-bpf list        More: pymemtrace-bpf COMMAND --help\n";

static int print_schema(void)
{
	json_t *schema = json_schema();
	int err = schema ? json_write(stdout, schema, false) : -1;

	json_decref(schema);
	return err;
}

static const struct command *find(const char *name)
{
	for (const struct command *const *c = commands; *c; c++)
		if (!strcmp((*c)->name, name))
			return *c;
	return NULL;
}

static int unknown(const char *word)
{
	char shown[64];
	uint64_t pid;

	text_escape(shown, sizeof(shown), word, strlen(word));
	if (!text_parse_u64(word, 1, 4194304, &pid))
		fprintf(stderr, "pymemtrace-bpf: '%s' is not a command; did you mean -p %s?\n",
			shown, shown);
	else
		fprintf(stderr, "pymemtrace-bpf: no command '%s'\nhint: pymemtrace-bpf --help\n",
			shown);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	const struct command *c = commands[0];
	struct options o;
	int status;

	signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of write(2), reported once */
	signal(SIGXFSZ, SIG_IGN); /* so is a file at its limit (ulimit -f) */
	if (argc == 1) {
		fputs(help, stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))
		return report_printed(fputs(help, stdout) < 0);
	/* these two go with any command, and need nothing that it needs */
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (!strcmp(argv[i], "--version"))
			return report_printed(puts(PROGRAM_VERSION) < 0);
		if (!strcmp(argv[i], "--json-schema"))
			return report_printed(print_schema());
	}
	if (argv[1][0] != '-') {
		c = find(argv[1]);
		if (!c)
			return unknown(argv[1]);
		argv++;
		argc--;
	}
	status = options_parse(c, argc, argv, &o);
	return status >= 0 ? status : c->run(&o);
}
