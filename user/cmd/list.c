/* SPDX-License-Identifier: MIT */
/* `list`: all Python processes, largest first, and why one is not supported. */
#include "cmd/cmd.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"
#include "cmd/process.h"
#include "cmd/terminal.h"
#include "output/json.h"
#include "output/sink.h"
#include "output/table.h"
#include "output/tables.h"
#include "python/python.h"
#include "target/target.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct rows {
	struct list_row *v;
	size_t nr;
	uint64_t denied; /* processes that may not be looked at */
};

static void row_done(struct list_row *row)
{
	process_id_done(&row->process);
}

/* 0: a row. -ENOEXEC: not Python. else: could not look. */
static int make_row(struct list_row *row, pid_t pid, struct fault *f)
{
	struct target *t = NULL;
	struct python *p = NULL;
	struct fault why = {0};
	uint64_t arenas;
	int err = target_open(&t, pid, f);

	memset(row, 0, sizeof(*row));
	row->arenas = -1;
	if (err)
		return err;
	err = python_open(&p, t, false, &why);
	if (err && !p) {
		target_close(t);
		if (f)
			*f = why;
		return err;
	}
	row->supported = !err;
	row->python = *python_id(p);
	if (err)
		snprintf(row->reason, sizeof(row->reason), "%.150s", why.text);
	else if (!python_read_arenas(p, &arenas))
		row->arenas = (int64_t)arenas;
	python_close(p);
	err = target_identify(t, &row->process, f);
	if (!err)
		err = target_rss(t, &row->rss, f);
	target_close(t);
	if (err)
		row_done(row);
	row->resident = rss_resident(&row->rss);
	return err;
}

static int collect(const struct options *o, const pid_t *pids, size_t nr, struct rows *rows,
		   struct fault *f)
{
	rows->v = calloc(nr ? nr : 1, sizeof(*rows->v));
	if (!rows->v)
		return fault_set(f, ENOMEM, "no memory");
	for (size_t i = 0; i < nr; i++) {
		struct list_row *row = &rows->v[rows->nr];
		struct fault why = {0};
		int err = make_row(row, pids[i], &why);

		if (err == -EPERM || err == -EACCES)
			rows->denied++;
		if (err && o->nr_pids && i < o->nr_pids) {
			*f = why;
			return err;
		}
		if (err)
			continue;
		if (!process_matches(o, &row->process)) {
			row_done(row);
			continue;
		}
		rows->nr++;
	}
	return 0;
}

static int compare(const void *a, const void *b, void *field)
{
	return fields_compare(field, a, b);
}

/*
 *  PID  NSPID  PPID  CONTAINER     PYTHON  BUILD    ALLOCATOR  ARENAS        RSS  COMMAND
 * 4242      7     1  3f2a9c0d11ee  3.12.1  symbols  pymalloc      139  198.2 MiB  python3 app.py
 * 5151   5151     1  -             3.16.0  symbols  -               -    7.1 MiB  python3 x.py  [not ...]
 */
static int print_text(struct sink *sink, const struct rows *rows, size_t limit)
{
	const struct field *columns[TABLE_MAX_COLUMNS];
	struct table t = {0};
	size_t nr = 0;
	int err;

	for (size_t i = 0; i < list_table.nr && nr < TABLE_MAX_COLUMNS; i++) {
		const struct field *c = &list_table.rows[i];

		if (!c->column || !strcmp(c->name, "supported")) /* is said in the last column */
			continue;
		columns[nr++] = c;
		table_column(&t, c->column, c->right);
	}
	for (size_t i = 0; i < rows->nr && i < limit; i++)
		for (size_t k = 0; k < nr; k++) {
			const struct list_row *r = &rows->v[i];
			char cell[1024], line[1400];

			fields_cell(columns[k], r, cell, sizeof(cell));
			if (!strcmp(columns[k]->name, "container") && strlen(cell) > 12)
				cell[12] = 0; /* as docker and crictl show ids */
			if (!strcmp(columns[k]->name, "command") && !r->supported) {
				snprintf(line, sizeof(line), "%s  [not supported: %s]", cell,
					 r->reason);
				table_cell(&t, line);
			} else {
				table_cell(&t, cell);
			}
		}
	err = table_print(sink->f, &t, terminal_width(sink->fd), true);
	table_done(&t);
	return err;
}

static int print_json(FILE *out, const struct rows *rows, size_t limit)
{
	json_t *doc = json_document("list"), *array = json_array();
	int err = -ENOMEM;

	for (size_t i = 0; array && i < rows->nr && i < limit; i++)
		json_array_append_new(array, json_list_row(&rows->v[i]));
	if (doc && array && !json_object_set_new(doc, "processes", array) &&
	    !json_object_set_new(doc, "denied", json_integer((json_int_t)rows->denied)))
		err = json_write(out, doc, false);
	json_decref(doc);
	return err;
}

static const struct field *sort_field(const struct options *o)
{
	const struct field *field = fields_find(&list_table, o->sort ? o->sort : "rss");

	if (field)
		return field;
	fprintf(stderr, "pymemtrace-bpf list: --sort %s: not a column; these are:", o->sort);
	for (size_t i = 0; i < list_table.nr; i++)
		fprintf(stderr, " %s", list_table.rows[i].name);
	fputc('\n', stderr);
	return NULL;
}

static int run(const struct options *o)
{
	const struct field *field = sort_field(o);
	_cleanup_free_ pid_t *pids = NULL;
	struct rows rows = {0};
	struct sink sink = {0};
	struct fault f = {0};
	int nr, err, status = EXIT_OK;
	size_t limit = o->top >= TOP_DEFAULT ? SIZE_MAX : (size_t)o->top;

	if (!field)
		return EXIT_USAGE;
	nr = o->nr_pids ? process_select(o, &pids, &f) : target_list_pids(&pids);
	if (nr < 0) {
		if (!f.err)
			fault_errno(&f, -nr, "cannot list /proc");
		return report_fault(&f);
	}
	err = collect(o, pids, (size_t)nr, &rows, &f);
	if (!err)
		err = sink_open(&sink, o->output, o->force, &f);
	if (!err) {
		qsort_r(rows.v, rows.nr, sizeof(*rows.v), compare, (void *)field);
		err = format_is(o, "json") ? print_json(sink.f, &rows, limit)
					   : print_text(&sink, &rows, limit);
		if (err) {
			sink_abort(&sink);
			fault_errno(&f, -err, "cannot write the list");
		} else {
			err = sink_commit(&sink, &f);
		}
	}
	if (err)
		status = report_fault(&f);
	else if (rows.denied)
		report_note(o, "%" PRIu64 " process%s may not be looked at%s", rows.denied,
			    rows.denied == 1 ? "" : "es",
			    geteuid() ? ": run it as root" : ", even by root here");
	for (size_t i = 0; i < rows.nr; i++)
		row_done(&rows.v[i]);
	free(rows.v);
	return status;
}

const struct command cmd_list = {
	.name = "list",
	.summary = "Python processes: pid, container, version, RSS, supported or why not",
	.args_doc = "[OPTION...]",
	.doc = "Largest first. --sort takes the names of the JSON fields.\n",
	.takes = OPT_PID | OPT_CHILDREN | OPT_OUTPUT | OPT_FORMAT | OPT_TOP | OPT_SORT | OPT_GLOB,
	.formats = "text json",
	.run = run,
};
