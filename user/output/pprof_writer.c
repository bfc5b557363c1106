/* SPDX-License-Identifier: MIT */
/* Numbers for strings, functions and locations: two hash tables, and a bit for each function. */
#include "output/pprof_writer.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "output/profile_label.h"

#include <errno.h>
#include <string.h>

#define uthash_nonfatal_oom(entry) ((entry)->lost = true)
#define HASH_NONFATAL_OOM	   1
#include <uthash.h>

/* What has a number already: a string by its bytes, a location by its function and line. */
struct pprof_numbered {
	UT_hash_handle hh;
	uint64_t id;
	bool lost;
	unsigned char key[];
};

/* Functions that are no function of the target come after its own; ids begin at 1. */
#define FUNCTION_ID(i) ((uint64_t)(i) + 1)

static uint64_t cause_function(const struct pprof_writer *w, enum profile_cause c)
{
	return (uint64_t)w->p->nr_functions + c;
}

static uint64_t cut_function(const struct pprof_writer *w)
{
	return (uint64_t)w->p->nr_functions + PROFILE_CAUSES;
}

int pprof_begin(struct pprof_writer *w, FILE *out, const struct profile *p)
{
	int err;

	memset(w, 0, sizeof(*w));
	w->p = p;
	err = gzip_begin(&w->gz, out);
	if (err)
		return err;
	w->written = calloc(cut_function(w) + 1, sizeof(*w->written));
	if (w->written)
		return 0;
	w->err = -ENOMEM;
	return pprof_end(w);
}

void pprof_emit(struct pprof_writer *w, const Pprof__Profile *part)
{
	size_t size = pprof__profile__get_packed_size(part);

	if (size > w->size) {
		uint8_t *more = realloc(w->buf, size * 2);

		if (!more) {
			w->err = -ENOMEM;
			return;
		}
		w->buf = more;
		w->size = size * 2;
	}
	if (!w->err)
		gzip_write(&w->gz, w->buf, pprof__profile__pack(part, w->buf));
}

/* True if it is new: the caller writes it under the id. */
static bool number(struct pprof_writer *w, struct pprof_numbered **table, const void *key,
		   size_t size, uint64_t next, uint64_t *ret)
{
	struct pprof_numbered *n = NULL;

	*ret = 0;
	if (w->err)
		return false;
	HASH_FIND(hh, *table, key, size, n);
	if (n) {
		*ret = n->id;
		return false;
	}
	n = calloc(1, sizeof(*n) + size);
	if (n) {
		n->id = *ret = next;
		memcpy(n->key, key, size);
		HASH_ADD_KEYPTR(hh, *table, n->key, size, n);
	}
	if (!n || n->lost) {
		free(n);
		w->err = -ENOMEM;
		return false;
	}
	return true;
}

static void numbered_free(struct pprof_numbered **table)
{
	struct pprof_numbered *n, *next;

	HASH_ITER(hh, *table, n, next)
	{
		HASH_DEL(*table, n);
		free(n);
	}
}

int64_t pprof_string(struct pprof_writer *w, const char *s)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;
	uint64_t id;

	if (number(w, &w->strings, s, strlen(s), w->nr_strings, &id)) {
		part.n_string_table = 1;
		part.string_table = (char **)&s;
		w->nr_strings++;
		pprof_emit(w, &part);
	}
	return (int64_t)id;
}

int64_t pprof_untrusted(struct pprof_writer *w, const char *s)
{
	size_t len = strlen(s), size = len * 4 + 1;
	_cleanup_free_ char *safe = malloc(size);

	if (!safe) {
		w->err = -ENOMEM;
		return 0;
	}
	return pprof_string(w, text_escape(safe, size, s, len));
}

static void emit_function(struct pprof_writer *w, uint64_t index)
{
	const struct profile *p = w->p;
	Pprof__Profile part = PPROF__PROFILE__INIT;
	Pprof__Function function = PPROF__FUNCTION__INIT, *functions[] = {&function};
	char label[PROFILE_LABEL_SIZE];

	if (w->written[index])
		return;
	w->written[index] = true;
	function.id = FUNCTION_ID(index);
	if (index < p->nr_functions) {
		const struct profile_function *f = &p->functions[index];

		function.name = pprof_string(w, profile_function_label(label, sizeof(label), f));
		function.filename =
			pprof_string(w, profile_place_label(label, sizeof(label), f, 0));
		function.start_line = f->first_line;
	} else {
		function.name = pprof_string(
			w, index == cut_function(w) ? PROFILE_TRUNCATED_TEXT
						    : profile_cause_text(index - p->nr_functions));
	}
	/* system_name stays "": where it equals the name, pprof takes "<module>" for a template */
	part.n_function = 1;
	part.function = functions;
	pprof_emit(w, &part);
}

static uint64_t location(struct pprof_writer *w, uint64_t function, int32_t line)
{
	const uint64_t key[] = {function, (uint64_t)line};
	Pprof__Profile part = PPROF__PROFILE__INIT;
	Pprof__Location loc = PPROF__LOCATION__INIT, *locs[] = {&loc};
	Pprof__Line at = PPROF__LINE__INIT, *lines[] = {&at};

	if (!number(w, &w->locations, key, sizeof(key), w->nr_locations + 1, &loc.id))
		return loc.id;
	w->nr_locations++;
	emit_function(w, function);
	loc.mapping_id = PPROF_MAPPING_ID;
	loc.n_line = 1;
	loc.line = lines;
	at.function_id = FUNCTION_ID(function);
	at.line = line;
	part.n_location = 1;
	part.location = locs;
	pprof_emit(w, &part);
	return loc.id;
}

uint64_t pprof_frame(struct pprof_writer *w, const struct profile_frame *f)
{
	return location(w, f->function, f->line);
}

uint64_t pprof_cause(struct pprof_writer *w, enum profile_cause c)
{
	return location(w, cause_function(w, c), 0);
}

uint64_t pprof_truncated(struct pprof_writer *w)
{
	return location(w, cut_function(w), 0);
}

int pprof_end(struct pprof_writer *w)
{
	int err = gzip_end(&w->gz);

	numbered_free(&w->strings);
	numbered_free(&w->locations);
	free(w->written);
	free(w->buf);
	return w->err ? w->err : err;
}
