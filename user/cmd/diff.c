/* SPDX-License-Identifier: MIT */
/* `diff A B`: what changed between two saved snapshots: JSON of ours, or text printed anywhere. */
#include "cmd/cmd.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"
#include "output/json.h"
#include "output/sink.h"
#include "output/stats_text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_FILE_BYTES (64u << 20)

/* Whole file, bounded; *ret is NUL-terminated and the caller's. */
static int read_file(const char *path, char **ret, size_t *ret_len, struct fault *f)
{
	_cleanup_free_ char *buf = NULL;
	char shown[256];
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0, size = 0;

	text_escape(shown, sizeof(shown), path, strlen(path));
	if (fd < 0)
		return fault_errno(f, errno, "%s", shown);
	for (;;) {
		ssize_t n;

		if (len + 1 >= size) {
			char *more;

			size = size ? size * 2 : 1 << 16;
			more = realloc(buf, size);
			if (!more)
				return fault_set(f, ENOMEM, "no memory for %s", shown);
			buf = more;
		}
		n = read(fd, buf + len, size - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fault_errno(f, errno, "%s", shown);
		if (!n)
			break;
		len += (size_t)n;
		if (len > MAX_FILE_BYTES)
			return fault_set(f, EFBIG, "%s is larger than any snapshot (%u MiB)", shown,
					 MAX_FILE_BYTES >> 20);
	}
	buf[len] = 0;
	*ret = steal_ptr(buf);
	*ret_len = len;
	return 0;
}

static int load(const char *path, struct snapshot *ret, struct fault *f)
{
	_cleanup_free_ char *text = NULL;
	struct fault why = {0};
	size_t len = 0, at = 0;
	char shown[256];
	int err = read_file(path, &text, &len, f);

	if (err)
		return err;
	text_escape(shown, sizeof(shown), path, strlen(path));
	while (at < len && isspace((unsigned char)text[at]))
		at++;
	if (at < len && text[at] == '{') {
		err = json_load_snapshot(ret, text, len, shown, f);
		if (err == -EMEDIUMTYPE)
			fault_hint(f, "diff compares two files of one kind: two snapshots");
		return err;
	}
	err = stats_parse(&ret->stats, text, len, &why);
	if (err) {
		fault_set(f, -err, "%s: %s", shown, why.text);
		fault_hint(f, "diff reads snapshots of this program (JSON or text) and what "
			      "sys._debugmallocstats() printed");
		return err;
	}
	ret->has_stats = true;
	return 0;
}

static int write_json(FILE *out, const struct snapshot *a, const struct snapshot *b)
{
	json_t *doc = json_diff(a, b);
	int err = doc ? json_write(out, doc, false) : -ENOMEM;

	json_decref(doc);
	return err;
}

static bool note_losses(const struct options *o, const char *path, const struct snapshot *s)
{
	bool any = read_losses_any(&s->losses);
	char shown[256];

	if (any)
		report_note(o, "%s is incomplete: see \"losses\" in it",
			    text_escape(shown, sizeof(shown), path, strlen(path)));
	return any;
}

static int run(const struct options *o)
{
	struct snapshot a = {0}, b = {0};
	struct sink sink = {0};
	struct fault f = {0};
	int status = EXIT_OK, err;

	err = load(o->args[0], &a, &f);
	if (!err)
		err = load(o->args[1], &b, &f);
	if (!err && (!a.has_stats || !b.has_stats))
		err = fault_set(&f, EINVAL,
				"%s has no allocator state: its interpreter was not supported",
				o->args[a.has_stats ? 1 : 0]);
	if (!err)
		err = sink_open(&sink, o->output, o->force, &f);
	if (!err && format_is(o, "json")) {
		err = write_json(sink.f, &a, &b);
		if (err)
			fault_errno(&f, -err, "cannot write the difference");
	} else if (!err) {
		err = stats_print_diff(sink.f, &a.stats, &b.stats, &f);
	}
	if (!err)
		err = sink_commit(&sink, &f);
	else
		sink_abort(&sink);
	if (err)
		status = err == -EMEDIUMTYPE ? (report_fault(&f), EXIT_USAGE) : report_fault(&f);
	else if ((note_losses(o, o->args[0], &a) | note_losses(o, o->args[1], &b)) && o->strict)
		status = EXIT_INCOMPLETE;
	snapshot_done(&a);
	snapshot_done(&b);
	return status;
}

const struct command cmd_diff = {
	.name = "diff",
	.summary = "What changed between two saved snapshots",
	.args_doc = "A B [OPTION...]",
	.doc = "A and B: snapshots of this program (JSON or text), or any text that holds what\n"
	       "sys._debugmallocstats() printed. Prints pymemtrace's difference table.\n",
	.takes = OPT_OUTPUT | OPT_FORMAT | OPT_STRICT | OPT_FILES,
	.formats = "text json",
	.run = run,
};
