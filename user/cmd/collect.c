/* SPDX-License-Identifier: MIT */
#include "cmd/collect.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "cmd/process.h"
#include "python/lines.h"
#include "python/python.h"
#include "python/strings.h"
#include "target/target.h"
#include "trace/trace.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <uthash.h>

/* A code object: which function it is, and its lines. */
struct code {
	uint32_t id; /* key */
	uint32_t function;
	int32_t first_line;
	enum line_format format;
	int32_t lasti_unit;
	bool has_lines, whole;
	uint8_t *table;
	size_t table_size;
	UT_hash_handle hh;
};

struct stack {
	uint64_t key;
	uint32_t at; /* in the total; PROFILE_NONE: its record did not come */
	UT_hash_handle hh;
};

struct sum_key {
	uint64_t stack;
	uint32_t tgid, tid, event, pad;
};

/* A sum as it was last read. */
struct sum {
	struct sum_key key;
	struct pmt_change change;
	UT_hash_handle hh;
};

/* Who opened the arena that was mapped last at an address. */
struct opening {
	struct {
		uint64_t address;
		uint64_t tgid;
	} key;
	uint64_t stack;
	uint32_t thread; /* in the total */
	int64_t time_ns; /* CLOCK_REALTIME */
	UT_hash_handle hh;
};

struct followed {
	pid_t pid;
	uint32_t tgid;
	struct process *process; /* NULL: forgotten */
	enum line_format format;
	int32_t lasti_unit;
	struct maps maps; /* for native leaves; read again when they do not know one */
	bool has_maps;
	struct profile *fresh; /* since the last take */
	struct profile *since; /* since the last rebase */
	UT_hash_handle hh;
};

struct collector {
	struct trace *trace;
	unsigned int events, step_shift;
	bool shares;
	struct profile *total;
	struct code *codes;
	struct stack *stacks;
	struct sum *sums;
	struct opening *openings;
	struct followed *followed; /* by tgid */
	bool failed;		   /* memory ran out: something is missing */
};

static struct profile *new_profile(const struct collector *c)
{
	struct profile *p = profile_new();

	if (!p)
		return NULL;
	p->exact = !c->step_shift;
	p->step_pages = 1u << c->step_shift;
	p->batched = trace_rss_is_batched(c->trace);
	p->begin_ns = p->end_ns = clock_realtime_ns();
	p->events = c->events;
	return p;
}

struct collector *collector_new(struct trace *t, unsigned int events, unsigned int step_shift,
				bool shares)
{
	struct collector *c = calloc(1, sizeof(*c));
	struct utsname u;

	if (!c)
		return NULL;
	c->trace = t;
	c->events = events;
	c->shares = shares;
	c->step_shift = step_shift;
	c->total = new_profile(c);
	if (!c->total) {
		free(c);
		return NULL;
	}
	if (!uname(&u)) {
		char *host;

		if (asprintf(&host, "%s %s %s, %s", u.sysname, u.release, u.machine, u.nodename) >=
		    0) {
			free(c->total->host);
			c->total->host = host;
		}
	}
	return c;
}

void collector_free(struct collector *c)
{
	struct code *code, *next_code;
	struct stack *stack, *next_stack;
	struct sum *sum, *next_sum;
	struct opening *opening, *next_opening;
	struct followed *f, *next_f;

	if (!c)
		return;
	HASH_ITER(hh, c->codes, code, next_code)
	{
		HASH_DEL(c->codes, code);
		free(code->table);
		free(code);
	}
	HASH_ITER(hh, c->stacks, stack, next_stack)
	{
		HASH_DEL(c->stacks, stack);
		free(stack);
	}
	HASH_ITER(hh, c->sums, sum, next_sum)
	{
		HASH_DEL(c->sums, sum);
		free(sum);
	}
	HASH_ITER(hh, c->openings, opening, next_opening)
	{
		HASH_DEL(c->openings, opening);
		free(opening);
	}
	HASH_ITER(hh, c->followed, f, next_f)
	{
		HASH_DEL(c->followed, f);
		maps_done(&f->maps);
		profile_free(f->fresh);
		profile_free(f->since);
		free(f);
	}
	profile_free(c->total);
	free(c);
}

static struct followed *find_followed(struct collector *c, uint32_t tgid)
{
	struct followed *f;

	HASH_FIND(hh, c->followed, &tgid, sizeof(tgid), f);
	return f;
}

static struct followed *find_pid(struct collector *c, pid_t pid)
{
	for (struct followed *f = c->followed; f; f = f->hh.next)
		if (f->pid == pid)
			return f;
	return NULL;
}

static struct pmt_walk walk_of(const struct python_walk_info *info)
{
	const struct py_layout *l = info->layout;
	const uint32_t frame[] = {l->frame_previous, l->frame_code, l->frame_instr, l->frame_lasti,
				  l->frame_owner};
	const uint32_t code[] = {l->object_type, l->code_firstlineno, l->code_filename,
				 l->code_name, l->code_linetable};
	struct pmt_walk w = {
		.current_addr = info->tstate_current,
		.interp_head_addr = info->interpreters_head,
		.interp_addr = info->interp,
		.code_type = info->code_type,
		.layout = *l,
	};

	for (size_t i = 0; i < ARRAY_SIZE(frame); i++)
		if (frame[i] != PY_NONE)
			w.frame_bytes = max(w.frame_bytes, frame[i] / 8 * 8 + 8);
	for (size_t i = 0; i < ARRAY_SIZE(code); i++)
		w.code_bytes = max(w.code_bytes, code[i] / 8 * 8 + 8);
	for (uint32_t i = 0; i < info->nr_text && i < PMT_TEXT_RANGES; i++) {
		w.text_start[i] = info->text[i].start;
		w.text_end[i] = info->text[i].end;
	}
	return w;
}

int collector_follow(struct collector *c, struct process *p, struct fault *f)
{
	pid_t pid = p->target->pid;
	uint32_t tgid = trace_tgid(c->trace, pid);
	struct followed *of = find_followed(c, tgid);
	struct python_walk_info info;
	struct pmt_walk walk;
	int err;

	if (!tgid)
		return fault_set(f, ESRCH, "no process %d", (int)pid);
	if (!of) {
		of = calloc(1, sizeof(*of));
		if (!of)
			return fault_errno(f, ENOMEM, "stacks of process %d", (int)pid);
		of->tgid = tgid;
		HASH_ADD(hh, c->followed, tgid, sizeof(of->tgid), of);
	}
	of->pid = pid;
	of->process = p;
	if (!p->python)
		return -ENOTSUP;
	err = python_walk_info(p->python, &info, f);
	if (err)
		return err;
	of->format = info.line_format;
	of->lasti_unit = info.lasti_unit;
	walk = walk_of(&info);
	return trace_set_walk(c->trace, pid, &walk, f);
}

void collector_forget(struct collector *c, pid_t pid)
{
	struct followed *f = find_pid(c, pid);

	if (!f)
		return;
	collector_drain(c); /* while its records can still be completed from memory */
	f->process = NULL;
	maps_done(&f->maps);
	f->has_maps = false;
}

/* The rest of a long line table is still in the process, or gone. */
static void keep_lines(struct collector *c, struct code *code, const struct followed *f,
		       const struct pmt_code_rec *r)
{
	bool unread = r->table_size == PMT_TABLE_UNREAD;
	size_t here = unread ? 0 : min(r->table_size, (uint32_t)PMT_TABLE_BYTES);

	code->first_line = r->first_line;
	code->format = f ? f->format : LINES_LOCATIONS;
	code->lasti_unit = f ? f->lasti_unit : 1;
	if (r->table_size != here && f && f->process && f->process->python &&
	    !python_read_code_lines(f->process->python, r->code, r->name_object, r->first_line,
				    &code->table, &code->table_size)) {
		code->has_lines = code->whole = true;
		return;
	}
	if (unread || !f || !(code->table = malloc(here + 1))) {
		c->total->lines_lost++;
		return;
	}
	memcpy(code->table, r->table_bytes, here);
	code->table_size = here;
	code->has_lines = true;
	code->whole = here == r->table_size;
	if (!code->whole)
		c->total->lines_lost++;
}

static void on_code(void *ctx, const struct pmt_code_rec *r)
{
	char name[PYTHON_TEXT_SIZE(PMT_NAME_BYTES)], file[PYTHON_TEXT_SIZE(PMT_FILE_BYTES) + 4];
	struct profile_function function = {.name = name, .first_line = r->first_line};
	struct collector *c = ctx;
	struct code *code = calloc(1, sizeof(*code));
	size_t cut = r->file.skipped ? strlen("…") : 0;

	if (!code) {
		c->failed = true;
		return;
	}
	function.file = file;
	function.kind = r->name.kind ? PROFILE_PYTHON : PROFILE_UNNAMED;
	c->total->names_lost += !r->name.kind;
	python_text(name, sizeof(name), r->name.kind, r->name_bytes,
		    min(r->name.length, (uint32_t)PMT_NAME_BYTES), r->name.skipped);
	/* of a long path the end is what tells */
	memcpy(file, "…", cut);
	python_text(file + cut, sizeof(file) - cut, r->file.kind, r->file_bytes,
		    min(r->file.length, (uint32_t)PMT_FILE_BYTES), false);
	if (profile_add_function(c->total, &function, &code->function)) {
		c->failed = true;
		free(code);
		return;
	}
	code->id = r->id;
	keep_lines(c, code, find_followed(c, r->tgid), r);
	HASH_ADD(hh, c->codes, id, sizeof(code->id), code);
}

static int32_t line_of(const struct code *code, int32_t lasti)
{
	int64_t bytes = lasti < 0 ? -1 : (int64_t)lasti * code->lasti_unit;

	if (!code->has_lines || bytes > INT32_MAX)
		return 0;
	return (code->whole ? code_line : code_line_of_head)(
		code->format, code->table, code->table_size, code->first_line, (int32_t)bytes);
}

/* What file an instruction belongs to. Libraries are loaded all the time: a second look at the maps. */
static const struct vma *native_vma(struct followed *f, uint64_t address)
{
	for (int look = 0; f && f->process && look < 2; look++) {
		const struct vma *v = f->has_maps ? maps_find(&f->maps, address) : NULL;

		if (v)
			return v;
		maps_done(&f->maps);
		f->has_maps = !target_maps(f->process->target, &f->maps, NULL);
	}
	return NULL;
}

static int native_frame(struct collector *c, struct followed *f, uint64_t address,
			struct profile_frame *ret)
{
	const struct vma *v = native_vma(f, address);
	const char *path = v && v->path ? v->path : "", *slash = strrchr(path, '/');
	char anonymous[] = "[anonymous]", none[] = "";
	struct profile_function function = {
		.kind = PROFILE_NATIVE,
		.name = *path ? (char *)(slash ? slash + 1 : path) : anonymous,
		.file = *path ? (char *)path : none,
	};

	ret->line = 0;
	return profile_add_function(c->total, &function, &ret->function);
}

static void on_stack(void *ctx, const struct pmt_stack_rec *r)
{
	struct profile_frame frames[PROFILE_MAX_FRAMES];
	struct profile_function lost = {.kind = PROFILE_UNNAMED, .name = "", .file = ""};
	struct collector *c = ctx;
	uint32_t nr = 0, from = 0, at;
	bool truncated = r->flags & PMT_TRUNCATED;
	struct stack *stack;

	HASH_FIND(hh, c->stacks, &r->stack, sizeof(r->stack), stack);
	if (stack) /* of another thread */
		return;
	if (r->native && !native_frame(c, find_followed(c, r->tgid), r->native, &frames[0]))
		nr = 1;
	for (; from < r->nr && nr < PROFILE_MAX_FRAMES; from++, nr++) {
		struct code *code;

		HASH_FIND(hh, c->codes, &r->frames[from].code, sizeof(uint32_t), code);
		frames[nr] = (struct profile_frame){0};
		if (code) {
			frames[nr].function = code->function;
			frames[nr].line = line_of(code, r->frames[from].lasti);
		} else if (profile_add_function(c->total, &lost, &frames[nr].function)) {
			c->failed = true;
			return;
		}
	}
	stack = calloc(1, sizeof(*stack));
	if (!stack || profile_add_stack(c->total, frames, nr, truncated || from < r->nr, &at)) {
		c->failed = true;
		free(stack);
		return;
	}
	stack->key = r->stack;
	stack->at = at;
	HASH_ADD(hh, c->stacks, key, sizeof(stack->key), stack);
}

static void on_arena(void *ctx, const struct pmt_arena_rec *r)
{
	struct collector *c = ctx;
	const struct followed *f = find_followed(c, r->tgid);
	struct profile_thread thread = {.pid = f ? f->pid : 0, .tid = (pid_t)r->tid};
	const uint64_t key[2] = {r->address, r->tgid};
	struct opening *o;

	HASH_FIND(hh, c->openings, key, sizeof(key), o);
	if (!o) {
		o = calloc(1, sizeof(*o));
		if (!o) {
			c->failed = true;
			return;
		}
		memcpy(&o->key, key, sizeof(key));
		HASH_ADD(hh, c->openings, key, sizeof(o->key), o);
	}
	memcpy(thread.comm, r->comm, sizeof(thread.comm) - 1);
	if (profile_add_thread(c->total, &thread, &o->thread))
		o->thread = PROFILE_NONE;
	o->stack = r->stack;
	o->time_ns = (int64_t)r->time_ns + clock_realtime_ns() - clock_monotonic_ns();
}

int collector_add_arena(struct collector *c, struct profile_arena *a)
{
	const struct followed *f = find_pid(c, a->pid);
	const uint64_t key[2] = {a->address, f ? f->tgid : 0};
	struct opening *o;
	struct stack *s;

	a->stack = a->thread = PROFILE_NONE;
	a->opened_ns = 0;
	HASH_FIND(hh, c->openings, key, sizeof(key), o);
	if (o) {
		HASH_FIND(hh, c->stacks, &o->stack, sizeof(o->stack), s);
		a->stack = s ? s->at : PROFILE_NONE;
		a->thread = o->thread;
		a->opened_ns = o->time_ns;
	}
	return profile_add_arena(c->total, a);
}

void collector_drain(struct collector *c)
{
	const struct trace_sink sink = {
		.code = on_code, .stack = on_stack, .arena = on_arena, .ctx = c};

	trace_read_stacks(c->trace, &sink);
}

static struct sum *find_sum(struct collector *c, const struct trace_sum *s)
{
	const struct sum_key key = {
		.stack = s->stack, .tgid = s->tgid, .tid = s->tid, .event = s->event};
	struct sum *sum;

	HASH_FIND(hh, c->sums, &key, sizeof(key), sum);
	if (sum)
		return sum;
	sum = calloc(1, sizeof(*sum));
	if (!sum)
		return NULL;
	sum->key = key;
	HASH_ADD(hh, c->sums, key, sizeof(sum->key), sum);
	return sum;
}

static int add_share(struct collector *c, struct profile **share, const struct profile_row *row)
{
	if (!*share)
		*share = new_profile(c);
	return *share ? profile_copy_row(*share, c->total, row) : -ENOMEM;
}

/* What is new of one sum, to the total and to its process's share. */
static void on_sum(void *ctx, const struct trace_sum *s)
{
	struct collector *c = ctx;
	struct followed *f = find_followed(c, s->tgid);
	struct profile_thread thread = {.tid = (pid_t)s->tid};
	struct profile_row row = {
		.event = (enum profile_event)s->event,
		.first_ns = s->first_ns,
		.last_ns = s->last_ns,
	};
	struct stack *stack;
	struct sum *sum;

	HASH_FIND(hh, c->stacks, &s->stack, sizeof(s->stack), stack);
	sum = f && stack ? find_sum(c, s) : NULL;
	if (!sum)
		return; /* its record is on its way: the next time, or unexplained */
	row.change = (struct profile_change){
		.growth = (int64_t)(s->change.growth - sum->change.growth),
		.shrink = (int64_t)(s->change.shrink - sum->change.shrink),
		.events = s->change.events - sum->change.events,
	};
	if (!row.change.growth && !row.change.shrink && !row.change.events)
		return;
	sum->change = s->change;
	thread.pid = f->pid;
	memcpy(thread.comm, s->comm, sizeof(thread.comm));
	row.stack = stack->at;
	if (profile_add_thread(c->total, &thread, &row.thread) || profile_add_row(c->total, &row))
		c->failed = true;
	if (c->shares && (add_share(c, &f->fresh, &row) || add_share(c, &f->since, &row)))
		c->failed = true;
}

void collector_update(struct collector *c)
{
	collector_drain(c);
	trace_read_sums(c->trace, on_sum, c);
	c->total->end_ns = clock_realtime_ns();
}

struct profile *collector_total(struct collector *c)
{
	return c->total;
}

struct profile *collector_take(struct collector *c, pid_t pid)
{
	struct followed *f = find_pid(c, pid);
	struct profile *p = f && f->fresh ? f->fresh : new_profile(c);

	if (f)
		f->fresh = NULL;
	return p;
}

struct profile *collector_of(struct collector *c, pid_t pid)
{
	struct followed *f = find_pid(c, pid);

	if (f && !f->since)
		f->since = new_profile(c);
	return f ? f->since : NULL;
}

void collector_rebase(struct collector *c, pid_t pid)
{
	struct followed *f = find_pid(c, pid);

	if (!f)
		return;
	profile_free(f->fresh);
	profile_free(f->since);
	f->fresh = f->since = NULL;
}
