/* SPDX-License-Identifier: MIT */
/* Labels of functions and nodes: what they look like is in profile_label.h. */
#include "output/profile_label.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* Appends; what no longer fits is left out at the border of a character. */
static void append_escaped(char *buf, size_t size, const char *s, size_t len)
{
	size_t used = strlen(buf);

	text_escape(buf + used, size - used, s, len);
}

/* Ours: ASCII. */
static void append(char *buf, size_t size, const char *s)
{
	size_t used = strlen(buf);

	snprintf(buf + used, size - used, "%s", s);
}

char *profile_function_label(char *buf, size_t size, const struct profile_function *f)
{
	buf[0] = 0;
	switch (f->kind) {
	case PROFILE_PYTHON:
		append_escaped(buf, size, f->name, strlen(f->name));
		break;
	case PROFILE_NATIVE:
		append(buf, size, "<native: ");
		append_escaped(buf, size - 1, f->name, strlen(f->name));
		append(buf, size, ">");
		break;
	case PROFILE_UNNAMED:
		break;
	}
	if (!buf[0])
		append(buf, size, "?");
	return buf;
}

char *profile_place_label(char *buf, size_t size, const struct profile_function *f, int32_t line)
{
	char number[16];

	buf[0] = 0;
	if (!*f->file)
		return buf;
	/* the line stays, however long the file's name is */
	append_escaped(buf, size - sizeof(number), f->file, strlen(f->file));
	if (line > 0) {
		snprintf(number, sizeof(number), ":%d", line);
		append(buf, size, number);
	}
	return buf;
}

char *profile_frame_label(char *buf, size_t size, const struct profile_function *f, int32_t line)
{
	char place[PROFILE_LABEL_SIZE / 2];

	profile_function_label(buf, size / 2, f);
	profile_place_label(place, min(sizeof(place), size / 2 - 4), f, line);
	if (*place) {
		append(buf, size, " (");
		append(buf, size, place);
		append(buf, size, ")");
	}
	return buf;
}

static char *in_parentheses(char *buf, size_t size, const char *s, size_t len)
{
	if (len) {
		append(buf, size, " (");
		append_escaped(buf, size - 1, s, len);
		append(buf, size, ")");
	}
	return buf;
}

char *profile_process_label(char *buf, size_t size, const struct profile *p, pid_t pid)
{
	const struct profile_process *of = profile_find_process(p, pid);
	const char *command = of && of->command ? of->command : "";

	snprintf(buf, size, "pid %d", pid);
	return in_parentheses(buf, size, command, strlen(command));
}

char *profile_thread_label(char *buf, size_t size, const struct profile_thread *t)
{
	snprintf(buf, size, "thread %d", t->tid);
	return in_parentheses(buf, size, t->comm, strnlen(t->comm, sizeof(t->comm)));
}

char *profile_node_label(char *buf, size_t size, const struct profile *p,
			 const struct profile_node *n)
{
	const struct profile_function *f;

	switch (n->kind) {
	case PROFILE_NODE_ROOT:
		snprintf(buf, size, "all");
		break;
	case PROFILE_NODE_PROCESS:
		return profile_process_label(buf, size, p, (pid_t)n->of);
	case PROFILE_NODE_THREAD:
		return profile_thread_label(buf, size, &p->threads[n->of]);
	case PROFILE_NODE_TRUNCATED:
		snprintf(buf, size, PROFILE_TRUNCATED_TEXT);
		break;
	case PROFILE_NODE_FUNCTION:
		f = &p->functions[n->of];
		return profile_frame_label(buf, size, f, f->first_line);
	case PROFILE_NODE_CAUSE:
		snprintf(buf, size, "%s", profile_cause_text(n->of));
		break;
	}
	return buf;
}
