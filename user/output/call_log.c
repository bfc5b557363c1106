/* SPDX-License-Identifier: MIT */
/*
 * Logs of calls; the format is in call_log.h, lines are made in call_log_line.c. Between two writes a
 * file is known by its directory, name and inode: whoever may write to the directory can put another
 * one in its place, but not have it written to.
 */
#include "output/call_log.h"
#include "output/call_log_line.h"
#include "output/sink.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES 4096 /* about 20 lines: thousands of logs are to fit into memory */

struct call_log {
	enum call_log_format format;
	char *dir, name[128];
	dev_t dev;
	ino_t inode;
	int err; /* of the first write that failed, positive: nothing more is written */

	bool begun; /* there is a newest line */
	struct call_line newest;
	char *function, *file; /* its strings, escaped */
	int64_t reported;      /* RSS that the next change is counted from */

	size_t used;
	char buffer[BUFFER_BYTES];
};

static int failed(struct call_log *l, int err, struct fault *f)
{
	char dir[256];

	l->err = err;
	text_escape(dir, sizeof(dir), l->dir, strlen(l->dir));
	if (err == ESTALE)
		return fault_set(f, err, "cannot write %s/%s: another file is in its place", dir,
				 l->name);
	return fault_errno(f, err, "cannot write %s/%s", dir, l->name);
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The file of before, and no other. */
static int reopen(const struct call_log *l, int *ret_fd)
{
	_cleanup_fd_ int dir_fd = open(l->dir, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct stat st;

	if (dir_fd < 0)
		return -errno;
	/* a FIFO in its place must not block */
	fd = openat(dir_fd, l->name,
		    O_WRONLY | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP || errno == ENXIO ? -ESTALE : -errno;
	if (fstat(fd, &st))
		return -errno;
	if (st.st_dev != l->dev || st.st_ino != l->inode || !S_ISREG(st.st_mode))
		return -ESTALE;
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int send_out(struct call_log *l, const char *data, size_t len, struct fault *f)
{
	_cleanup_fd_ int fd = -1;
	int err;

	if (l->err)
		return failed(l, l->err, f);
	if (!len)
		return 0;
	err = reopen(l, &fd);
	if (!err)
		err = write_all(fd, data, len);
	return err ? failed(l, -err, f) : 0;
}

int call_log_flush(struct call_log *l, struct fault *f)
{
	int err = send_out(l, l->buffer, l->used, f);

	l->used = 0;
	return err;
}

static int put(struct call_log *l, const char *data, size_t len, struct fault *f)
{
	if (l->err)
		return failed(l, l->err, f);
	if (l->used + len > sizeof(l->buffer)) {
		int err = call_log_flush(l, f);

		if (err)
			return err;
	}
	if (len > sizeof(l->buffer))
		return send_out(l, data, len, f);
	memcpy(l->buffer + l->used, data, len);
	l->used += len;
	return 0;
}

static int put_line(struct call_log *l, const char *kind, const struct call_line *line,
		    struct fault *f)
{
	char text[CALL_LINE_BYTES];
	size_t len = l->format == CALL_LOG_JSON ? call_line_json(text, kind, line)
						: call_line_text(text, kind, line);

	return len ? put(l, text, len, f) : failed(l, ENOMEM, f);
}

/* Keeps a line as the newest, with strings of its own. */
static int keep(struct call_log *l, const struct call_line *line)
{
	bool other_function = !l->function || strcmp(l->function, line->function) != 0;
	bool other_file = !l->file || strcmp(l->file, line->file) != 0;
	char *function = other_function ? strdup(line->function) : NULL;
	char *file = other_file ? strdup(line->file) : NULL;

	if ((other_function && !function) || (other_file && !file)) {
		free(function);
		free(file);
		return -ENOMEM;
	}
	if (other_function) {
		free(l->function);
		l->function = function;
	}
	if (other_file) {
		free(l->file);
		l->file = file;
	}
	l->newest = *line;
	l->newest.function = l->function;
	l->newest.file = l->file;
	return 0;
}

static struct call_line make_line(const struct call_log *l, const struct call_log_event *e,
				  char function[static CALL_FUNCTION_BYTES],
				  char file[static CALL_FILE_BYTES])
{
	return (struct call_line){
		.nr = e->nr,
		.change = (int64_t)(e->nr - (l->begun ? l->newest.nr : 0)),
		.cpu_us = e->cpu_ns / 1000,
		.what = e->returns ? "RETURN" : "CALL",
		.function = text_escape(function, CALL_FUNCTION_BYTES, e->function,
					strlen(e->function)),
		.file = text_escape(file, CALL_FILE_BYTES, e->file, strlen(e->file)),
		.line = e->line,
		.rss = e->rss,
		.rss_change = (int64_t)((uint64_t)e->rss - (uint64_t)l->reported),
	};
}

int call_log_write(struct call_log *l, const struct call_log_event *e, struct fault *f)
{
	char function[CALL_FUNCTION_BYTES], file[CALL_FILE_BYTES];
	struct call_line line = make_line(l, e, function, file);
	int err = 0;

	if (l->begun && e->nr > l->newest.nr + 1)
		err = put_line(l, "PREV", &l->newest, f);
	if (!err)
		err = put_line(l, l->begun ? "NEXT" : "FRST", &line, f);
	if (err)
		return err;
	if (keep(l, &line))
		return failed(l, ENOMEM, f);
	l->reported = l->begun ? e->rss : 0; /* the first change after FRST is all of RSS */
	l->begun = true;
	return 0;
}

int call_log_message(struct call_log *l, const char *text, struct fault *f)
{
	char message[512];
	/* cPyMemTrace counts on before it writes: the number is that of the event to come */
	struct call_line line = {
		.nr = l->begun ? l->newest.nr + 1 : 0,
		.change = l->begun,
		.cpu_us = l->newest.cpu_us,
		.message = text_escape(message, sizeof(message), text, strlen(text)),
	};

	return put_line(l, "MSG", &line, f);
}

static int put_end(struct call_log *l, struct fault *f)
{
	int err = l->format == CALL_LOG_TEXT ? put(l, "EOF\n", 4, f) : 0;

	return err ? err : call_log_flush(l, f);
}

int call_log_last(struct call_log *l, const struct call_log_event *e, struct fault *f)
{
	char function[CALL_FUNCTION_BYTES], file[CALL_FILE_BYTES];
	struct call_line line = l->newest;
	int err = 0;

	if (e) {
		line = make_line(l, e, function, file);
	} else if (l->begun) {
		line.change = 0;
		line.rss_change = l->reported ? 0 : line.rss; /* 0: FRST is the newest */
	}
	if (e || l->begun)
		err = put_line(l, "LAST", &line, f);
	if (!err)
		err = put_end(l, f);
	l->used = 0;
	call_log_free(l);
	return err;
}

void call_log_free(struct call_log *l)
{
	if (!l)
		return;
	if (l->used && !l->err)
		call_log_flush(l, NULL);
	free(l->dir);
	free(l->function);
	free(l->file);
	free(l);
}

/* --- its file ------------------------------------------------------------------------------- */

/* The directory, which is made if there is none. */
static int open_dir(const char *path, int *ret_fd)
{
	bool made = mkdir(path, 0700) == 0;
	int fd;

	if (!made && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (made ? O_NOFOLLOW : 0));
	if (fd < 0)
		return -errno;
	if (made)
		sink_give_to_user(fd);
	*ret_fd = fd;
	return 0;
}

/* The version comes from a file of the target's: only what can be a part of a name. */
static void name_file(struct call_log *l, const struct call_log_id *id)
{
	char date[32], version[32];
	struct tm tm = {0};

	gmtime_r(&id->time, &tm);
	strftime(date, sizeof(date), "%Y%m%d_%H%M%S", &tm);
	snprintf(version, sizeof(version), "%s", id->version);
	for (char *p = version; *p; p++)
		if (!strchr("0123456789.abcdefghijklmnopqrstuvwxyz+", *p))
			*p = '_';
	snprintf(l->name, sizeof(l->name), "%s_%u_%d_%d_P_0_PY%s.%s", date, id->ordinal, id->pid,
		 id->tid, version, l->format == CALL_LOG_JSON ? "jsonl" : "log");
}

static int create(struct call_log *l)
{
	_cleanup_fd_ int dir_fd = -1, fd = -1;
	int err = open_dir(l->dir, &dir_fd);
	struct stat st;

	if (err)
		return err;
	fd = openat(dir_fd, l->name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	sink_give_to_user(fd);
	l->dev = st.st_dev;
	l->inode = st.st_ino;
	return 0;
}

int call_log_new(struct call_log **ret, const char *dir, enum call_log_format format,
		 const struct call_log_id *id, struct fault *f)
{
	struct call_log *l = calloc(1, sizeof(*l));
	char text[CALL_LINE_BYTES];
	int err;

	if (!l || !(l->dir = strdup(dir))) {
		free(l);
		return fault_errno(f, ENOMEM, "cannot write a log");
	}
	l->format = format;
	name_file(l, id);
	err = create(l);
	if (err)
		err = failed(l, -err, f);
	else if (format == CALL_LOG_TEXT)
		err = put(l, text, call_line_header(text), f);
	if (err) {
		call_log_free(l);
		return err;
	}
	*ret = l;
	return 0;
}

const char *call_log_plain_name(const char *qualified)
{
	const char *dot = strrchr(qualified, '.');

	return dot && dot[1] ? dot + 1 : qualified;
}
