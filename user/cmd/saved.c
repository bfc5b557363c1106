/* SPDX-License-Identifier: MIT */
/* What kind of file was saved is seen from how it begins, not from its name. */
#include "cmd/saved.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"
#include "output/json.h"
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

int saved_load(const char *path, struct snapshot *ret, bool *ret_recording, struct fault *f)
{
	_cleanup_free_ char *text = NULL;
	struct fault why = {0};
	size_t len = 0, at = 0;
	char shown[256];
	int err = read_file(path, &text, &len, f);

	if (err)
		return err;
	*ret_recording = pmt_is_recording(text, len);
	if (*ret_recording)
		return 0;
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
