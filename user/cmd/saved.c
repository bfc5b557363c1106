/* SPDX-License-Identifier: MIT */
/* What kind of file was saved is seen from how it begins, not from its name. */
#include "cmd/saved.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"
#include "output/json.h"
#include "output/json_explain.h"
#include "output/pmt.h"
#include "output/stats_text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define MAX_FILE_BYTES (64u << 20)

/*
 * Whole file, bounded; *ret is NUL-terminated and the caller's. Of a recording only the beginning: it
 * may be larger than any snapshot.
 */
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
		if (pmt_is_recording(buf, len))
			break;
		if (len > MAX_FILE_BYTES)
			return fault_set(f, EFBIG, "%s is larger than any snapshot (%u MiB)", shown,
					 MAX_FILE_BYTES >> 20);
	}
	buf[len] = 0;
	*ret = steal_ptr(buf);
	*ret_len = len;
	return 0;
}

static int load_document(struct saved *s, const char *text, size_t len, const char *shown,
			 struct fault *f)
{
	const char *kind;
	json_t *doc;
	int err = json_load(&doc, &kind, text, len, shown, f);

	if (err)
		return err;
	json_kind_text(s->what, kind);
	s->kind = !strcmp(kind, "snapshot")	 ? SAVED_SNAPSHOT
		  : !strcmp(kind, "explanation") ? SAVED_EXPLANATION
						 : SAVED_OTHER;
	if (s->kind == SAVED_SNAPSHOT)
		err = json_read_snapshot(&s->snapshot, doc, shown, f);
	else if (s->kind == SAVED_EXPLANATION)
		err = json_read_explanation(&s->explanation, doc, shown, f);
	json_decref(doc);
	return err;
}

static int load_text(struct saved *s, const char *text, size_t len, const char *shown,
		     struct fault *f)
{
	struct fault why = {0};
	int err = stats_parse(&s->snapshot.stats, text, len, &why);

	if (err) {
		fault_set(f, -err, "%s: %s", shown, why.text);
		fault_hint(f, "diff reads snapshots, also as text that sys._debugmallocstats() "
			      "printed, and explanations");
		return err;
	}
	json_kind_text(s->what, "snapshot");
	s->snapshot.has_stats = true;
	return 0;
}

int saved_load(const char *path, struct saved *ret, struct fault *f)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0, at = 0;
	char shown[256];
	int err = read_file(path, &text, &len, f);

	*ret = (struct saved){.kind = SAVED_SNAPSHOT};
	if (err)
		return err;
	if (pmt_is_recording(text, len)) {
		ret->kind = SAVED_RECORDING;
		snprintf(ret->what, sizeof(ret->what), "a recording");
		return 0;
	}
	text_escape(shown, sizeof(shown), path, strlen(path));
	while (at < len && isspace((unsigned char)text[at]))
		at++;
	return at < len && text[at] == '{' ? load_document(ret, text, len, shown, f)
					   : load_text(ret, text, len, shown, f);
}

void saved_done(struct saved *s)
{
	snapshot_done(&s->snapshot);
	explanation_done(&s->explanation);
}
