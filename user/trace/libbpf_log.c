/* SPDX-License-Identifier: MIT */
#include "trace/libbpf_log.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <bpf/libbpf.h>
#include <string.h>

/* libbpf's callback has no context argument: this is the one place that needs a variable for it. */
static __thread char tail[320];

#define TAIL_LINES 3

/*
 * The last lines of the verifier's log, as libbpf prints it:
 *
 *	libbpf: prog 'on_task': -- BEGIN PROG LOAD LOG --
 *	0: R1=ctx(off=0,imm=0) R10=fp0
 *	; int BPF_PROG(on_task, ...
 *	R1 type=scalar expected=fp
 *	processed 2 insns (limit 1000000) max_states_per_insn 0 ...
 *	-- END PROG LOAD LOG --
 */
static void keep_tail(char *text)
{
	char *end = strstr(text, "-- END PROG LOAD LOG"), *begin;
	int lines = 0;
	size_t n;

	if (!end || !strstr(text, "-- BEGIN PROG LOAD LOG"))
		return;
	*end = '\0';
	begin = strstr(text, "\nprocessed ");
	if (begin)
		end = begin;
	while (end > text && end[-1] == '\n')
		end--;
	*end = '\0';
	begin = end;
	while (begin > text && (size_t)(end - begin) < sizeof(tail) - 1) {
		if (begin[-1] == '\n' && ++lines == TAIL_LINES)
			break;
		begin--;
	}
	n = min((size_t)(end - begin), sizeof(tail) - 1);
	memcpy(tail, begin, n);
	tail[n] = '\0';
	for (char *c = tail; *c; c++)
		if (*c == '\n')
			*c = '|';
}

static int print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	_cleanup_free_ char *text = NULL;
	int n;

	if (level == LIBBPF_DEBUG && log_level < LOG_TRACE)
		return 0;
	n = vasprintf(&text, fmt, args);
	if (n < 0) {
		text = NULL;
		return 0;
	}
	while (n && text[n - 1] == '\n')
		text[--n] = '\0';
	log_debug("%s", text);
	if (level == LIBBPF_WARN)
		keep_tail(text);
	return n;
}

void libbpf_log_start(void)
{
	libbpf_set_print(print);
	tail[0] = '\0';
}

const char *libbpf_log_tail(void)
{
	return tail;
}
