/* SPDX-License-Identifier: MIT */
/*
 * The builder of a table of calls: arrays that grow, and a hash table that finds functions which several
 * code objects or threads had. Sums stop at their limits: figures of a file or a target are anyone's.
 */
#include "model/calls_index.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct calls *calls_new(void)
{
	struct calls *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->exits = true;
	c->index = calloc(1, sizeof(*c->index));
	c->host = strdup("");
	c->program = strdup("");
	if (!c->index || !c->host || !c->program) {
		calls_free(c);
		return NULL;
	}
	return c;
}

void calls_index_drop(struct entry **table)
{
	struct entry *e, *next;

	HASH_ITER(hh, *table, e, next)
	{
		HASH_DEL(*table, e);
		free(e);
	}
}

void calls_free(struct calls *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->nr_functions; i++) {
		free(c->functions[i].name);
		free(c->functions[i].file);
	}
	for (size_t i = 0; i < c->nr_processes; i++) {
		free(c->processes[i].command);
		free(c->processes[i].python);
	}
	for (size_t i = 0; i < c->nr_sites; i++) {
		free(c->sites[i].name);
		free(c->sites[i].instruction);
	}
	if (c->index) {
		calls_index_drop(&c->index->functions);
		calls_index_drop(&c->index->processes);
	}
	free(c->functions);
	free(c->processes);
	free(c->sites);
	free(c->host);
	free(c->program);
	free(c->stopped);
	free(c->index);
	free(c);
}

/* Room for one more of elem bytes, and for max of them in all. */
static int grow(void **array, size_t nr, size_t *size, size_t elem, size_t max)
{
	size_t wanted = *size ? *size * 2 : 64;
	void *more;

	if (nr >= max)
		return -E2BIG;
	if (nr < *size)
		return 0;
	more = reallocarray(*array, wanted, elem);
	if (!more)
		return -ENOMEM;
	*array = more;
	*size = wanted;
	return 0;
}

static const char *text_or_none(const char *s)
{
	return s ? s : "";
}

static struct entry *entry_new(size_t key_size)
{
	struct entry *e = calloc(1, sizeof(*e) + key_size);

	if (e)
		e->key_size = key_size;
	return e;
}

/* pid, first line, file, NUL, name */
static struct entry *function_key(const struct call_function *f)
{
	const char *name = text_or_none(f->name), *file = text_or_none(f->file);
	size_t file_size = strlen(file) + 1, name_size = strlen(name);
	struct entry *e = entry_new(8 + file_size + name_size);

	if (!e)
		return NULL;
	memcpy(e->key, &f->pid, 4);
	memcpy(e->key + 4, &f->first_line, 4);
	memcpy(e->key + 8, file, file_size);
	memcpy(e->key + 8 + file_size, name, name_size);
	return e;
}
_Static_assert(sizeof(pid_t) == 4, "as laid out above");

/* Owns e from here on. */
static int entry_insert(struct entry **table, struct entry *e, size_t at)
{
	e->at = at;
	HASH_ADD_KEYPTR(hh, *table, e->key, e->key_size, e);
	if (!e->lost)
		return 0;
	free(e);
	return -ENOMEM;
}

static void add_count(uint64_t *to, uint64_t n)
{
	if (__builtin_add_overflow(*to, n, to))
		*to = UINT64_MAX;
}

static void add_bytes(int64_t *to, int64_t bytes)
{
	if (__builtin_add_overflow(*to, bytes, to))
		*to = bytes < 0 ? INT64_MIN : INT64_MAX;
}

static void function_merge(struct call_function *to, const struct call_function *f)
{
	add_count(&to->calls, f->calls);
	add_count(&to->resumes, f->resumes);
	add_count(&to->returns, f->returns);
	add_count(&to->yields, f->yields);
	add_count(&to->unwinds, f->unwinds);
	add_count(&to->lost, f->lost);
	add_count(&to->open, f->open);
	add_bytes(&to->growth, f->growth);
	add_bytes(&to->shrink, f->shrink);
	add_bytes(&to->total, f->total);
	to->largest = max(to->largest, f->largest); /* none: INT64_MIN */
	add_count(&to->arenas, f->arenas);
	add_count(&to->pools, f->pools);
	add_count(&to->self_ns, f->self_ns);
	add_count(&to->total_ns, f->total_ns);
}

int calls_add_function(struct calls *c, const struct call_function *f)
{
	_cleanup_free_ struct entry *e = NULL;
	struct call_function copy = *f;
	struct entry *found;
	int err;

	if (c->index->sorted)
		return -EINVAL;
	e = function_key(f);
	if (!e)
		return -ENOMEM;
	HASH_FIND(hh, c->index->functions, e->key, e->key_size, found);
	if (found) {
		function_merge(&c->functions[found->at], f);
		return 0;
	}
	err = grow((void **)&c->functions, c->nr_functions, &c->index->size_functions, sizeof(copy),
		   CALLS_MAX_FUNCTIONS);
	if (err)
		return err;
	copy.name = strdup(text_or_none(f->name));
	copy.file = strdup(text_or_none(f->file));
	err = copy.name && copy.file
		      ? entry_insert(&c->index->functions, steal_ptr(e), c->nr_functions)
		      : -ENOMEM;
	if (err) {
		free(copy.name);
		free(copy.file);
		return err;
	}
	c->functions[c->nr_functions++] = copy;
	return 0;
}

static struct call_process *find_process(const struct calls *c, pid_t pid)
{
	struct entry *found;

	HASH_FIND(hh, c->index->processes, &pid, sizeof(pid), found);
	return found ? &c->processes[found->at] : NULL;
}

int calls_add_process(struct calls *c, pid_t pid, struct call_process **ret)
{
	_cleanup_free_ struct entry *e = NULL;
	int err;

	*ret = find_process(c, pid);
	if (*ret)
		return 0;
	e = entry_new(sizeof(pid));
	if (!e)
		return -ENOMEM;
	memcpy(e->key, &pid, sizeof(pid));
	err = grow((void **)&c->processes, c->nr_processes, &c->index->size_processes,
		   sizeof(**ret), CALLS_MAX_PROCESSES);
	if (!err)
		err = entry_insert(&c->index->processes, steal_ptr(e), c->nr_processes);
	if (err)
		return err;
	*ret = &c->processes[c->nr_processes++];
	**ret = (struct call_process){.pid = pid};
	return 0;
}

int calls_add_site(struct calls *c, const struct call_site *s)
{
	struct call_site copy = *s;
	int err = grow((void **)&c->sites, c->nr_sites, &c->index->size_sites, sizeof(copy),
		       CALLS_MAX_SITES);

	if (err)
		return err;
	copy.name = strdup(text_or_none(s->name));
	copy.instruction = strdup(text_or_none(s->instruction));
	if (!copy.name || !copy.instruction) {
		free(copy.name);
		free(copy.instruction);
		return -ENOMEM;
	}
	c->sites[c->nr_sites++] = copy;
	return 0;
}

/* a - b, which stops at the limits */
static int64_t less(int64_t a, int64_t b)
{
	int64_t difference;

	if (__builtin_sub_overflow(a, b, &difference))
		return b < 0 ? INT64_MAX : INT64_MIN;
	return difference;
}

int64_t calls_self(const struct call_function *f)
{
	return less(f->growth, f->shrink);
}

void calls_balance(struct calls *c)
{
	for (size_t i = 0; i < c->nr_processes; i++) {
		struct call_process *of = &c->processes[i];
		int64_t known = less(of->left_out.growth, of->left_out.shrink);

		for (int k = 0; k < PROFILE_CAUSES; k++)
			if (k != PROFILE_UNEXPLAINED)
				add_bytes(&known, less(of->causes[k].growth, of->causes[k].shrink));
		/* what is known, until all of it is */
		of->causes[PROFILE_UNEXPLAINED] = (struct profile_change){.growth = known};
	}
	for (size_t i = 0; i < c->nr_functions; i++) {
		struct call_process *of = find_process(c, c->functions[i].pid);

		if (of)
			add_bytes(&of->causes[PROFILE_UNEXPLAINED].growth,
				  calls_self(&c->functions[i]));
	}
	for (size_t i = 0; i < c->nr_processes; i++) {
		struct call_process *of = &c->processes[i];
		int64_t missing = less(less(of->rss_after, of->rss_before),
				       of->causes[PROFILE_UNEXPLAINED].growth);

		of->causes[PROFILE_UNEXPLAINED] = (struct profile_change){
			.growth = max(missing, (int64_t)0),
			.shrink = less(0, min(missing, (int64_t)0)),
		};
	}
}

static bool any(const struct profile_change *change)
{
	return change->growth || change->shrink || change->events;
}

bool calls_incomplete(const struct calls *c)
{
	bool lost = c->stopped || c->unread || c->reset || c->full || c->log_lost || c->names_lost;

	for (size_t i = 0; i < c->nr_functions && !lost; i++)
		lost = c->functions[i].lost;
	for (size_t i = 0; i < c->nr_processes && !lost; i++) {
		const struct profile_change *causes = c->processes[i].causes;

		lost = any(&causes[PROFILE_WALK_FAILED]) || any(&causes[PROFILE_TABLE_FULL]) ||
		       any(&causes[PROFILE_RECORD_LOST]) ||
		       /* kernels before 6.2 keep a rest of their steps to themselves */
		       (!c->batched && any(&causes[PROFILE_UNEXPLAINED]));
	}
	return lost;
}
