/* SPDX-License-Identifier: MIT */
/*
 * The builder of a profile: arrays that grow, and a hash table (uthash) for each kind of entry that is
 * interned. Keys are copies of what makes entries equal, laid out without gaps.
 */
#include "model/profile.h"

#include "base/cleanup.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* A failed insertion must not end the program: it leaves the entry out, which the caller sees. */
#define uthash_nonfatal_oom(entry) ((entry)->lost = true)
#define HASH_NONFATAL_OOM	   1
#include "base/hash.h"

struct entry {
	UT_hash_handle hh;
	uint32_t at;
	bool lost;
	size_t key_size;
	unsigned char key[];
};

struct profile_index {
	struct entry *functions, *stacks, *threads, *rows;
	uint32_t size_functions, size_stacks, size_threads, size_processes, size_rows, size_arenas;
};

static const struct {
	const char *name, *text;
} causes[] = {
	[PROFILE_NO_THREAD] = {"no_thread", "[no Python thread]"},
	[PROFILE_NO_FRAME] = {"no_frame", "[no Python frame]"},
	[PROFILE_NOT_READY] = {"not_ready", "[interpreter not ready]"},
	[PROFILE_WALK_FAILED] = {"walk_failed", "[stack could not be read]"},
	[PROFILE_OTHER_TASK] = {"other_task", "[by another task]"},
	[PROFILE_EXEC] = {"exec", "[program replaced]"},
	[PROFILE_TABLE_FULL] = {"table_full", "[table of stacks full]"},
	[PROFILE_RECORD_LOST] = {"record_lost", "[stack lost]"},
	[PROFILE_REMAINDER] = {"remainder", "[sampling remainder]"},
	[PROFILE_UNEXPLAINED] = {"unexplained", "[unexplained]"},
	[PROFILE_NO_STACK] = {"no_stack", "[of the memory cgroup]"},
};
_Static_assert(ARRAY_SIZE(causes) == PROFILE_CAUSES, "a row for each cause");

const char *profile_cause_name(enum profile_cause c)
{
	return causes[c].name;
}

const char *profile_cause_text(enum profile_cause c)
{
	return causes[c].text;
}

struct profile *profile_new(void)
{
	struct profile *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->index = calloc(1, sizeof(*p->index));
	p->host = strdup("");
	p->program = strdup("");
	p->page_bytes = 4096;
	p->step_pages = 1;
	if (!p->index || !p->host || !p->program) {
		profile_free(p);
		return NULL;
	}
	return p;
}

static void table_free(struct entry **table)
{
	struct entry *e, *next;

	HASH_ITER(hh, *table, e, next)
	{
		HASH_DEL(*table, e);
		free(e);
	}
}

void profile_free(struct profile *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; i < p->nr_functions; i++) {
		free(p->functions[i].name);
		free(p->functions[i].file);
	}
	for (uint32_t i = 0; i < p->nr_stacks; i++)
		free(p->stacks[i].frames);
	for (uint32_t i = 0; i < p->nr_processes; i++) {
		free(p->processes[i].command);
		free(p->processes[i].python);
	}
	if (p->index) {
		table_free(&p->index->functions);
		table_free(&p->index->stacks);
		table_free(&p->index->threads);
		table_free(&p->index->rows);
	}
	free(p->functions);
	free(p->stacks);
	free(p->threads);
	free(p->processes);
	free(p->rows);
	free(p->arenas);
	free(p->host);
	free(p->program);
	free(p->index);
	free(p);
}

/* Room for one more of elem bytes. */
static int grow(void **array, uint32_t nr, uint32_t *size, size_t elem)
{
	uint32_t wanted = *size ? *size * 2 : 64;
	void *more;

	if (nr < *size)
		return 0;
	if (nr >= PROFILE_MAX_ENTRIES)
		return -E2BIG;
	more = reallocarray(*array, wanted, elem);
	if (!more)
		return -ENOMEM;
	*array = more;
	*size = wanted;
	return 0;
}

static struct entry *entry_new(size_t key_size)
{
	struct entry *e = calloc(1, sizeof(*e) + key_size);

	if (e)
		e->key_size = key_size;
	return e;
}

static bool entry_find(struct entry *table, const struct entry *like, uint32_t *ret)
{
	struct entry *found;

	HASH_FIND(hh, table, like->key, like->key_size, found);
	if (found)
		*ret = found->at;
	return found;
}

/* Owns e from here on. */
static int entry_insert(struct entry **table, struct entry *e, uint32_t at)
{
	e->at = at;
	HASH_ADD_KEYPTR(hh, *table, e->key, e->key_size, e);
	if (!e->lost)
		return 0;
	free(e);
	return -ENOMEM;
}

/* kind, first line, file, NUL, name */
static struct entry *function_key(const struct profile_function *f)
{
	size_t file = strlen(f->file) + 1, name = strlen(f->name);
	struct entry *e = entry_new(sizeof(uint32_t) * 2 + file + name);
	uint32_t kind = f->kind;

	if (!e)
		return NULL;
	memcpy(e->key, &kind, sizeof(kind));
	memcpy(e->key + 4, &f->first_line, 4);
	memcpy(e->key + 8, f->file, file);
	memcpy(e->key + 8 + file, f->name, name);
	return e;
}

int profile_add_function(struct profile *p, const struct profile_function *f, uint32_t *ret)
{
	_cleanup_free_ struct entry *e = function_key(f);
	struct profile_function copy = *f;
	int err;

	if (!e)
		return -ENOMEM;
	if (entry_find(p->index->functions, e, ret))
		return 0;
	err = grow((void **)&p->functions, p->nr_functions, &p->index->size_functions, sizeof(*f));
	if (err)
		return err;
	copy.name = strdup(f->name);
	copy.file = strdup(f->file);
	err = copy.name && copy.file
		      ? entry_insert(&p->index->functions, steal_ptr(e), p->nr_functions)
		      : -ENOMEM;
	if (err) {
		free(copy.name);
		free(copy.file);
		return err;
	}
	*ret = p->nr_functions;
	p->functions[p->nr_functions++] = copy;
	return 0;
}

int profile_add_stack(struct profile *p, const struct profile_frame *frames, uint32_t nr,
		      bool truncated, uint32_t *ret)
{
	_cleanup_free_ struct entry *e = NULL;
	struct profile_stack copy = {.nr = nr, .truncated = truncated};
	int err;

	if (!nr || nr > PROFILE_MAX_FRAMES)
		return -EINVAL;
	for (uint32_t i = 0; i < nr; i++)
		if (frames[i].function >= p->nr_functions)
			return -EINVAL;
	e = entry_new(1 + nr * sizeof(*frames));
	if (!e)
		return -ENOMEM;
	e->key[0] = truncated;
	memcpy(e->key + 1, frames, nr * sizeof(*frames));
	if (entry_find(p->index->stacks, e, ret))
		return 0;
	err = grow((void **)&p->stacks, p->nr_stacks, &p->index->size_stacks, sizeof(copy));
	if (err)
		return err;
	copy.frames = malloc(nr * sizeof(*frames));
	if (!copy.frames)
		return -ENOMEM;
	memcpy(copy.frames, frames, nr * sizeof(*frames));
	err = entry_insert(&p->index->stacks, steal_ptr(e), p->nr_stacks);
	if (err) {
		free(copy.frames);
		return err;
	}
	*ret = p->nr_stacks;
	p->stacks[p->nr_stacks++] = copy;
	return 0;
}

int profile_add_thread(struct profile *p, const struct profile_thread *t, uint32_t *ret)
{
	_cleanup_free_ struct entry *e = entry_new(sizeof(*t));
	struct profile_thread copy = {.pid = t->pid, .tid = t->tid};
	int err;

	if (!e)
		return -ENOMEM;
	memcpy(copy.comm, t->comm, strnlen(t->comm, sizeof(copy.comm) - 1));
	memcpy(e->key, &copy, sizeof(copy));
	if (entry_find(p->index->threads, e, ret))
		return 0;
	err = grow((void **)&p->threads, p->nr_threads, &p->index->size_threads, sizeof(copy));
	if (!err)
		err = entry_insert(&p->index->threads, steal_ptr(e), p->nr_threads);
	if (err)
		return err;
	*ret = p->nr_threads;
	p->threads[p->nr_threads++] = copy;
	return 0;
}

int profile_add_process(struct profile *p, pid_t pid, struct profile_process **ret)
{
	struct profile_process new = {.pid = pid};
	int err;

	for (uint32_t i = 0; i < p->nr_processes; i++)
		if (p->processes[i].pid == pid) {
			*ret = &p->processes[i];
			return 0;
		}
	err = grow((void **)&p->processes, p->nr_processes, &p->index->size_processes, sizeof(new));
	if (err)
		return err;
	new.command = strdup("");
	new.python = strdup("");
	if (!new.command || !new.python) {
		free(new.command);
		free(new.python);
		return -ENOMEM;
	}
	p->processes[p->nr_processes] = new;
	*ret = &p->processes[p->nr_processes++];
	return 0;
}

static void change_add(struct profile_change *to, const struct profile_change *c)
{
	to->growth += c->growth;
	to->shrink += c->shrink;
	to->events += c->events;
}

int profile_add_row(struct profile *p, const struct profile_row *row)
{
	const uint32_t key[] = {row->stack, row->thread, row->event, row->memory};
	_cleanup_free_ struct entry *e = NULL;
	uint32_t at;
	int err;

	if (row->stack >= p->nr_stacks || row->thread >= p->nr_threads ||
	    (unsigned int)row->event >= PROFILE_EVENTS ||
	    (unsigned int)row->memory >= PROFILE_MEMORIES)
		return -EINVAL;
	e = entry_new(sizeof(key));
	if (!e)
		return -ENOMEM;
	memcpy(e->key, key, sizeof(key));
	if (entry_find(p->index->rows, e, &at)) {
		struct profile_row *r = &p->rows[at];

		change_add(&r->change, &row->change);
		r->first_ns = min(r->first_ns, row->first_ns);
		r->last_ns = max(r->last_ns, row->last_ns);
		return 0;
	}
	err = grow((void **)&p->rows, p->nr_rows, &p->index->size_rows, sizeof(*row));
	if (!err)
		err = entry_insert(&p->index->rows, steal_ptr(e), p->nr_rows);
	if (err)
		return err;
	p->rows[p->nr_rows++] = *row;
	return 0;
}

int profile_copy_row(struct profile *p, const struct profile *from, const struct profile_row *row)
{
	const struct profile_stack *stack = &from->stacks[row->stack];
	struct profile_frame frames[PROFILE_MAX_FRAMES];
	struct profile_row copy = *row;
	int err;

	for (uint32_t i = 0; i < stack->nr; i++) {
		frames[i].line = stack->frames[i].line;
		err = profile_add_function(p, &from->functions[stack->frames[i].function],
					   &frames[i].function);
		if (err)
			return err;
	}
	err = profile_add_stack(p, frames, stack->nr, stack->truncated, &copy.stack);
	if (!err)
		err = profile_add_thread(p, &from->threads[row->thread], &copy.thread);
	return err ? err : profile_add_row(p, &copy);
}

int profile_add_arena(struct profile *p, const struct profile_arena *a)
{
	int err;

	if ((a->stack != PROFILE_NONE && a->stack >= p->nr_stacks) ||
	    (a->thread != PROFILE_NONE && a->thread >= p->nr_threads))
		return -EINVAL;
	err = grow((void **)&p->arenas, p->nr_arenas, &p->index->size_arenas, sizeof(*a));
	if (err)
		return err;
	p->arenas[p->nr_arenas++] = *a;
	return 0;
}

static bool is_zero(const struct profile_change *c)
{
	return !c->growth && !c->shrink && !c->events;
}

struct profile_change profile_attributed(const struct profile *p, enum profile_event e, pid_t pid)
{
	struct profile_change sum = {0};

	for (uint32_t i = 0; i < p->nr_rows; i++)
		if (p->rows[i].event == e && (!pid || p->threads[p->rows[i].thread].pid == pid))
			change_add(&sum, &p->rows[i].change);
	return sum;
}

void profile_balance(struct profile *p)
{
	for (uint32_t i = 0; i < p->nr_processes; i++) {
		struct profile_process *of = &p->processes[i];
		struct profile_change known = profile_attributed(p, PROFILE_RSS, of->pid);
		int64_t missing;

		for (int c = 0; c < PROFILE_CAUSES; c++)
			if (c != PROFILE_UNEXPLAINED)
				change_add(&known, &of->causes[PROFILE_RSS][c]);
		missing = of->rss_after - of->rss_before - (known.growth - known.shrink);
		of->causes[PROFILE_RSS][PROFILE_UNEXPLAINED] = (struct profile_change){
			.growth = max(missing, (int64_t)0),
			.shrink = max(-missing, (int64_t)0),
		};
	}
}

bool profile_incomplete(const struct profile *p)
{
	bool lost = p->cut_short || p->names_lost || p->lines_lost;

	for (uint32_t i = 0; i < p->nr_processes && !lost; i++)
		for (int e = 0; e < PROFILE_EVENTS && !lost; e++) {
			const struct profile_change *c = p->processes[i].causes[e];

			lost = !is_zero(&c[PROFILE_WALK_FAILED]) ||
			       !is_zero(&c[PROFILE_TABLE_FULL]) ||
			       !is_zero(&c[PROFILE_RECORD_LOST]) ||
			       /* kernels before 6.2 keep a rest of their steps to themselves */
			       (p->exact && !p->batched && !is_zero(&c[PROFILE_UNEXPLAINED]));
		}
	return lost;
}

int64_t profile_error(const struct profile *p, uint64_t samples)
{
	if (p->exact)
		return 0;
	return (int64_t)(sqrt((double)samples) * p->step_pages * p->page_bytes);
}
