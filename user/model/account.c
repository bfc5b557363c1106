/* SPDX-License-Identifier: MIT */
/*
 * How the sum stays right: whatever is resident begins as MEMORY_ANONYMOUS without a name. An area moves
 * its bytes from there, a part moves some of the area's on; no byte is moved twice by either, because
 * areas take what nobody has taken and parts ascend. Nothing is ever added but as a page.
 *
 * Parts come by the million, so they are summed as they come: a part costs a step or two along the runs
 * and nothing is kept of it.
 */
#include "model/account.h"

#include "model/account_taken.h"
#include "model/page_runs.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

#define uthash_nonfatal_oom(entry) ((entry)->lost = true)
#define HASH_NONFATAL_OOM	   1
#include "base/hash.h"

/* A target chooses how many names there are, and each costs 700 bytes here: the rest share "". */
#define NAMES_MAX  65536u
#define NAME_BYTES 255

struct named {
	UT_hash_handle hh;
	struct sums kinds[MEMORY_KINDS];
	bool lost;
	char name[];
};

struct account_area {
	struct account *account;
	struct named *named;
	enum memory_kind kind;
	uint64_t at;	      /* parts below are done */
	size_t run, piece;    /* those that hold it, or come behind it */
	struct range *pieces; /* resident, at least partly, and its own */
	size_t nr;
	struct {
		uint64_t start, end, at; /* as given; below at, all is told */
		size_t run, piece, mark;
	} told;
	struct account_area *next;
};

struct account {
	struct runs runs;
	struct taken taken;
	struct named *names, *nameless;
	struct account_area *areas;
	struct account_area nothing; /* any area without a resident byte */
	account_watch_fn *watch;
	void *watch_ctx;
	bool begun;  /* with areas: no more runs */
	bool failed; /* memory ran out halfway */
};

static struct named *named_new(const char *name, size_t len)
{
	struct named *n = calloc(1, sizeof(*n) + len + 1);

	if (n)
		memcpy(n->name, name, len);
	return n;
}

struct account *account_new(void)
{
	struct account *a = calloc(1, sizeof(*a));

	if (a)
		a->nameless = named_new("", 0);
	if (a && !a->nameless) {
		free(a);
		return NULL;
	}
	return a;
}

static void area_free(struct account_area *area)
{
	if (!area)
		return;
	free(area->pieces);
	free(area);
}

void account_free(struct account *a)
{
	struct named *n, *next_name;

	if (!a)
		return;
	HASH_ITER(hh, a->names, n, next_name)
	{
		HASH_DEL(a->names, n);
		free(n);
	}
	while (a->areas) {
		struct account_area *next = a->areas->next;

		area_free(a->areas);
		a->areas = next;
	}
	taken_done(&a->taken);
	free(a->nameless);
	runs_done(&a->runs);
	free(a);
}

static void move(struct sums *from, struct sums *to, const struct sums *what)
{
	sums_sub(from, what);
	sums_add(to, what);
}

int account_pages(struct account *a, uint64_t start, uint64_t end, unsigned int flags)
{
	int err = a->begun ? -EINVAL : runs_add(&a->runs, start, end, flags);

	if (!err)
		a->nameless->kinds[MEMORY_ANONYMOUS] = runs_total(&a->runs);
	return err;
}

int account_take(struct account *a, struct runs *pages)
{
	if (a->begun || a->runs.nr)
		return -EINVAL;
	a->runs = *pages;
	*pages = (struct runs){0};
	a->nameless->kinds[MEMORY_ANONYMOUS] = runs_total(&a->runs);
	return 0;
}

const struct runs *account_runs(const struct account *a)
{
	return &a->runs;
}

uint64_t account_resident(const struct account *a, uint64_t start, uint64_t end)
{
	size_t run = 0;

	return start < end ? runs_between(&a->runs, start, end, &run).bytes : 0;
}

uint64_t account_unclaimed(const struct account *a, uint64_t addr)
{
	return taken_end(&a->taken, addr);
}

static int find_named(struct account *a, const char *name, struct named **ret)
{
	size_t len = name ? strnlen(name, NAME_BYTES) : 0;
	struct named *n;

	*ret = a->nameless;
	if (!len)
		return 0;
	HASH_FIND(hh, a->names, name, len, n);
	if (!n && HASH_COUNT(a->names) < NAMES_MAX) {
		n = named_new(name, len);
		if (!n)
			return -ENOMEM;
		HASH_ADD_KEYPTR(hh, a->names, n->name, len, n);
		if (n->lost) {
			free(n);
			return -ENOMEM;
		}
	}
	if (n)
		*ret = n;
	return 0;
}

/* Keeps of the pieces those with resident bytes, and moves these. */
static void count_area(struct account_area *area)
{
	struct account *a = area->account;
	size_t kept = 0, run = 0;

	for (size_t i = 0; i < area->nr; i++) {
		const struct range *r = &area->pieces[i];
		struct sums s = runs_between(&a->runs, r->start, r->end, &run);

		if (!s.bytes)
			continue;
		area->pieces[kept++] = *r;
		move(&a->nameless->kinds[MEMORY_ANONYMOUS], &area->named->kinds[area->kind], &s);
	}
	area->nr = kept;
	if (kept) {
		area->at = area->pieces[0].start;
		area->run = runs_find(&a->runs, area->at, 0);
	}
}

void account_watch(struct account *a, account_watch_fn *fn, void *ctx)
{
	a->watch = fn;
	a->watch_ctx = ctx;
}

static void tell_runs(struct account_area *area, uint64_t start, uint64_t end,
		      enum memory_kind kind)
{
	const struct runs *runs = &area->account->runs;
	size_t i = runs_find(runs, start, area->told.run);

	for (area->told.run = i; i < runs->nr && runs->v[i].start < end; i++) {
		struct account_span s = {
			.start = max(start, runs->v[i].start),
			.end = min(end, runs->v[i].end),
			.kind = kind,
			.area_start = area->told.start,
			.area_end = area->told.end,
			.area_kind = area->kind,
			.mark = &area->told.mark,
		};

		area->account->watch(area->account->watch_ctx, &s);
		area->told.run = i;
	}
}

/* What the area has below end and was not told yet is of this kind. */
static void tell(struct account_area *area, uint64_t end, enum memory_kind kind)
{
	if (!area->account->watch)
		return;
	while (area->told.piece < area->nr) {
		const struct range *r = &area->pieces[area->told.piece];
		uint64_t from = max(area->told.at, r->start), to = min(end, r->end);

		if (from < to)
			tell_runs(area, from, to, kind);
		if (end < r->end)
			break;
		area->told.piece++;
	}
	area->told.at = end;
}

static int area_new(struct account *a, uint64_t start, uint64_t end, enum memory_kind kind,
		    const char *name, struct account_area **ret)
{
	struct account_area *area = calloc(1, sizeof(*area));
	int err;

	if (!area)
		return -ENOMEM;
	area->account = a;
	area->kind = kind;
	area->told.start = start;
	area->told.end = end;
	err = find_named(a, name, &area->named);
	if (!err)
		err = taken_add(&a->taken, start, end, &area->pieces, &area->nr);
	if (err) {
		area_free(area);
		return err;
	}
	count_area(area);
	*ret = area;
	return 0;
}

int account_area(struct account *a, uint64_t start, uint64_t end, enum memory_kind kind,
		 const char *name, struct account_area **ret)
{
	struct account_area *area = &a->nothing;
	int err = 0;

	if (kind >= MEMORY_KINDS)
		return -EINVAL;
	if (a->failed)
		return -ENOMEM;
	a->begun = true;
	/* what is not resident is forgotten at once: a target can invent any number of areas */
	if (account_resident(a, start, end))
		err = area_new(a, start, end, kind, name, &area);
	if (err) {
		a->failed = true;
		return err;
	}
	if (area != &a->nothing && (!ret || !area->nr)) {
		tell(area, UINT64_MAX, kind);
		area_free(area);
		area = &a->nothing;
	} else if (area != &a->nothing) {
		area->next = a->areas;
		a->areas = area;
	}
	if (ret)
		*ret = area;
	return 0;
}

void account_part(struct account_area *area, uint64_t start, uint64_t end, enum memory_kind kind)
{
	start = max(start, area->at);
	if (start >= end || kind >= MEMORY_KINDS)
		return;
	if (area->nr) {
		tell(area, start, area->kind);
		tell(area, end, kind);
	}
	while (area->piece < area->nr) {
		const struct range *r = &area->pieces[area->piece];
		uint64_t from = max(start, r->start), to = min(end, r->end);

		if (from < to) {
			struct sums s = runs_between(&area->account->runs, from, to, &area->run);

			move(&area->named->kinds[area->kind], &area->named->kinds[kind], &s);
		}
		if (end < r->end)
			break;
		area->piece++;
	}
	area->at = end;
}

static size_t list_rows(const struct named *n, struct account_row *ret)
{
	size_t nr = 0;

	for (size_t i = 0; i < MEMORY_KINDS; i++) {
		const struct sums *s = &n->kinds[i];

		if (!s->bytes)
			continue;
		if (ret)
			ret[nr] = (struct account_row){
				.kind = (enum memory_kind)i,
				.name = n->name,
				.bytes = s->bytes,
				.huge = s->huge,
				.exclusive = s->exclusive,
			};
		nr++;
	}
	return nr;
}

static int compare_rows(const void *x, const void *y)
{
	const struct account_row *a = x, *b = y;

	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return strcmp(a->name, b->name);
}

int account_close(struct account *a, struct account_row **ret, size_t *ret_nr, uint64_t *ret_total)
{
	size_t nr = list_rows(a->nameless, NULL);
	struct account_row *rows;
	struct named *n, *next;

	if (a->failed)
		return -ENOMEM;
	for (struct account_area *area = a->areas; area; area = area->next)
		tell(area, UINT64_MAX, area->kind);
	HASH_ITER(hh, a->names, n, next)
	nr += list_rows(n, NULL);
	rows = reallocarray(NULL, nr + 1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	nr = list_rows(a->nameless, rows);
	HASH_ITER(hh, a->names, n, next)
	nr += list_rows(n, rows + nr);
	qsort(rows, nr, sizeof(*rows), compare_rows);
	*ret = rows;
	*ret_nr = nr;
	*ret_total = runs_total(&a->runs).bytes;
	return 0;
}
