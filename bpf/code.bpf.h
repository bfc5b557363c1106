/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Code objects: a number for each, and its names, at first sight. Addresses are used again after a
 * code object has been freed, and by a program that makes many of them also those of their names, in
 * the same order: a code object is known by its address, its first line, and by its version or by what
 * its name and its file are, and all that is read at every hit.
 */
#ifndef PMT_CODE_BPF_H
#define PMT_CODE_BPF_H

#include "common.bpf.h"

#define NR_SCRATCH  4
#define HASH_FACTOR 0x9e3779b97f4a7c15ull
#define NR_FILES    8
#define NR_HOPS	    8	 /* frames that may have come unseen onto a stack that is known */
#define NR_BASE	    1024 /* ... that are there when a stack is met first */
#define TAIL_BYTES  64 /* of a text without a hash: enough to tell it from another of its length */

/* What one walk works in; too large for the stack. */
struct scratch {
	__u32 busy;
	__u32 pad;
	__u64 frame[PMT_FRAME_BYTES / 8];
	__u64 code[PMT_CODE_BYTES / 8];
	__u64 tail[TAIL_BYTES / 8];
	struct {
		__u64 str, check;
	} files[NR_FILES]; /* those that this walk has met: while it lasts they stay what they are */
	struct {
		__u64 frame;
		__u64 hops[NR_BASE];
		__u32 at, nr, found, room;
	} seek; /* shadow.bpf.h */
	struct {
		__u32 at, text_at;     /* where it is in both */
		__u32 star, star_text; /* behind the newest '*', and what was tried with it */
		__u32 length, kind, done, matches;
	} match; /* glob.bpf.h */
	struct pmt_code_key key;
	struct {
		__u64 length, hash;
		__u32 state;
	} head;			   /* of a text */
	struct pmt_open_call open; /* heal.bpf.h: one that is being made */
	struct pmt_stack_rec stack;
	struct pmt_code_rec record;
};

/*
 * Several for each CPU: a program of a uprobe can be preempted, and interrupted by a change of RSS,
 * in the middle of its walk.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NR_SCRATCH);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches __weak SEC(".maps");

static __always_inline struct scratch *scratch_take(void)
{
	for (__u32 i = 0; i < NR_SCRATCH; i++) {
		__u32 key = i;
		struct scratch *s = bpf_map_lookup_elem(&scratches, &key);

		if (s && !__sync_val_compare_and_swap(&s->busy, 0, 1))
			return s;
	}
	return NULL;
}

static __always_inline void scratch_give(struct scratch *s)
{
	__sync_val_compare_and_swap(&s->busy, 1, 0);
}

/* 0 where there is nothing to read: no address that matters is 0. */
static __always_inline __u64 user_u64(__u64 address)
{
	__u64 value = 0;

	bpf_probe_read_user(&value, sizeof(value), (void *)address);
	return value;
}

/*
 * The characters of a str object. bytes: room, a power of two; from_end: of what is too long, the
 * end. Returns false if it could not be read.
 */
static __always_inline bool read_text(const struct py_layout *l, __u64 str, struct pmt_text *t,
				      __u8 *to, __u32 bytes, bool from_end)
{
	__u64 length = 0, data = str + l->unicode_compact_size, size;
	__u32 state = 0, state_bit = l->unicode_state * 8;
	__u32 kind;

	*t = (struct pmt_text){};
	if (bpf_probe_read_user(&length, sizeof(length), (void *)(str + l->unicode_length)) ||
	    bpf_probe_read_user(&state, sizeof(state), (void *)(str + l->unicode_state)))
		return false;
	kind = state >> ((l->unicode_kind_bit - state_bit) & 31) & 7;
	/* names of code objects are compact: unicodeobject.c makes no others since 3.3 */
	if (!(state >> ((l->unicode_compact_bit - state_bit) & 31) & 1) ||
	    (kind != 1 && kind != 2 && kind != 4) || length >> 31)
		return false;
	t->ascii = state >> ((l->unicode_ascii_bit - state_bit) & 31) & 1;
	if (t->ascii)
		data = str + l->unicode_ascii_size;
	t->kind = kind;
	size = length * kind;
	if (size > bytes) {
		t->skipped = (size - bytes) / kind;
		if (from_end)
			data += size - bytes;
		size = bytes;
	}
	t->length = size / kind;
	if (size && (size > bytes || bpf_probe_read_user(to, size, (void *)data))) {
		*t = (struct pmt_text){};
		return false;
	}
	return true;
}

static __always_inline __u64 mix(__u64 h, __u64 v)
{
	h = (h ^ v) * HASH_FACTOR;
	return h ^ (h >> 29);
}

/*
 * Adds to h what a str object holds: by its length and hash or, where the interpreter has not asked
 * for that (of qualified names in 3.11 and 3.12, of file names until 3.12), its last characters.
 */
static __always_inline __u64 mix_text(__u64 h, struct scratch *s, const struct py_layout *l,
				      __u64 str)
{
	__u64 size, data;

	/* one after the other in all versions */
	__builtin_memset(&s->head, 0, sizeof(s->head));
	bpf_probe_read_user(&s->head, sizeof(s->head), (void *)(str + l->unicode_length));
	h = mix(mix(h, s->head.length), s->head.hash);
	if (s->head.hash != ~0ull)
		return h;
	data = str + (s->head.state >> ((l->unicode_ascii_bit - l->unicode_state * 8) & 31) & 1
			      ? l->unicode_ascii_size
			      : l->unicode_compact_size);
	size = s->head.length *
	       (s->head.state >> ((l->unicode_kind_bit - l->unicode_state * 8) & 31) & 7);
	__builtin_memset(s->tail, 0, sizeof(s->tail));
	if (size > TAIL_BYTES) {
		data += size - TAIL_BYTES;
		size = TAIL_BYTES;
	}
	bpf_probe_read_user(s->tail, size, (void *)data);
	for (int i = 0; i < TAIL_BYTES / 8; i++)
		h = mix(h, s->tail[i]);
	return h;
}

#define CODE_U64(s, offset) ((s)->code[(offset) / 8 & (PMT_CODE_BYTES / 8 - 1)])

/* mix_text() of a file name. Neighbours on the stack are often of one file. */
static __always_inline __u64 check_file(struct scratch *s, const struct py_layout *l, __u64 str)
{
	__u64 at = (str >> 4 ^ str >> 10) & (NR_FILES - 1);

	if (s->files[at].str != str) {
		s->files[at].check = mix_text(0, s, l, str);
		s->files[at].str = str;
	}
	return s->files[at].check;
}

/*
 * What tells the code object in s->code from another that was at its address: its version, a number
 * given out once (since 3.12; 0 when they have run out), or its texts.
 */
static __always_inline __u64 code_check(struct scratch *s, const struct py_layout *l)
{
	__u64 h = CODE_U64(s, l->code_linetable);
	__u32 version = 0;

	if (l->code_version != PY_NONE)
		version = ((__u32 *)s->code)[l->code_version / 4 & (PMT_CODE_BYTES / 4 - 1)];
	if (version)
		return mix(mix(h, version), CODE_U64(s, l->code_name));
	h = mix_text(h, s, l, CODE_U64(s, l->code_name));
	return mix(h, check_file(s, l, CODE_U64(s, l->code_filename)));
}

/* Sends the record of the code object in s->code. */
static __noinline int announce_code(struct scratch *s, const struct pmt_walk *w)
{
	const struct py_layout *l;
	struct pmt_code_rec *r;
	__u64 table, size = 0;
	bool named;

	if (!s || !w)
		return -1;
	l = &w->layout;
	r = &s->record;
	r->type = PMT_REC_CODE;
	named = read_text(l, r->name_object, &r->name, r->name_bytes, PMT_NAME_BYTES, false);
	named &= read_text(l, CODE_U64(s, l->code_filename), &r->file, r->file_bytes,
			   PMT_FILE_BYTES, true);
	if (!named)
		count_loss(PMT_LOSS_NAMES);
	table = CODE_U64(s, l->code_linetable);
	r->table = table + l->bytes_data;
	r->table_size = PMT_TABLE_UNREAD;
	if (!bpf_probe_read_user(&size, sizeof(size), (void *)(table + l->bytes_size)) &&
	    !(size >> 31)) {
		__u64 part = size;

		if (part > PMT_TABLE_BYTES)
			part = PMT_TABLE_BYTES;
		if (!bpf_probe_read_user(r->table_bytes, part, (void *)r->table))
			r->table_size = size;
	}
	return bpf_ringbuf_output(&stack_events, r, sizeof(*r), RING_WAKES);
}

/* As much of it as a number takes. */
static __always_inline bool read_code(struct scratch *s, const struct pmt_walk *w, __u64 code)
{
	__u32 bytes = w->code_bytes;

	return bytes <= PMT_CODE_BYTES && !bpf_probe_read_user(s->code, bytes, (void *)code);
}

/* The number of the code object that is in s->code. 0: *cause says why it has none. */
static __noinline __u32 code_id(struct scratch *s, const struct pmt_walk *w, __u64 code, __u32 tgid,
				__u32 *cause)
{
	struct pmt_code_key *key;
	const struct py_layout *l;
	__u32 *known, id;

	if (!s || !w || !cause)
		return 0;
	l = &w->layout;
	key = &s->key;
	key->code = code;
	key->tgid = tgid;

	*cause = PMT_CAUSE_WALK_FAILED;
	if (w->code_type && CODE_U64(s, l->object_type) != w->code_type)
		return 0;
	key->check = code_check(s, l);
	key->first_line = ((__s32 *)s->code)[l->code_firstlineno / 4 & (PMT_CODE_BYTES / 4 - 1)];
	*cause = PMT_CAUSES;
	known = bpf_map_lookup_elem(&codes, key);
	if (known)
		return *known;

	id = __sync_fetch_and_add(&next_code, 1) + 1;
	s->record.tgid = tgid;
	s->record.id = id;
	s->record.first_line = key->first_line;
	s->record.code = code;
	s->record.name_object = CODE_U64(s, l->code_name);
	if (bpf_map_update_elem(&codes, key, &id, BPF_NOEXIST)) {
		/* another CPU was faster, or there is no room */
		known = bpf_map_lookup_elem(&codes, key);
		if (known)
			return *known;
		*cause = PMT_CAUSE_TABLE_FULL;
		return 0;
	}
	if (announce_code(s, w)) {
		bpf_map_delete_elem(&codes, key);
		*cause = PMT_CAUSE_RECORD_LOST;
		return 0;
	}
	return id;
}

#endif
