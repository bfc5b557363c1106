/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * --include and --exclude: whether a function is shown, decided once for each code object by its name
 * and its file, before anything of it is counted.
 */
#ifndef PMT_GLOB_BPF_H
#define PMT_GLOB_BPF_H

#include "code.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PMT_MAX_GLOBS);
	__type(key, __u32);
	__type(value, struct pmt_glob);
} globs __weak SEC(".maps");

/* By number of the code object. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} shown_functions __weak SEC(".maps");

const volatile __u32 cfg_globs __weak = 0; /* how many */

/* What changes from step to step is in the scratch: verifiers until 6.6 take it for constant here. */
struct glob_match {
	const struct pmt_glob *glob;
	struct scratch *s;
	bool file; /* else the name */
};

static __always_inline __u32 text_char(const struct scratch *s, bool file, __u32 i)
{
	const __u8 *text = file ? s->record.file_bytes : s->record.name_bytes;
	__u32 bytes = file ? PMT_FILE_BYTES : PMT_NAME_BYTES;

	if (s->match.kind == 1)
		return text[i & (bytes - 1)];
	if (s->match.kind == 2)
		return ((const __u16 *)text)[i & (bytes / 2 - 1)];
	return ((const __u32 *)text)[i & (bytes / 4 - 1)];
}

/* One character of one of both, or of both: '*' any run, '?' any one. */
static long match_step(__u32 i, struct glob_match *m)
{
	struct scratch *s = m->s;
	__u32 at = s->match.at, text_at = s->match.text_at, c = 0;

	if (at < m->glob->length) {
		c = m->glob->chars[at & (PMT_GLOB_CHARS - 1)];
		if (c == '*') {
			s->match.star = s->match.at = at + 1;
			s->match.star_text = text_at;
			return 0;
		}
		if (text_at < s->match.length &&
		    (c == '?' || c == text_char(s, m->file, text_at))) {
			s->match.at = at + 1;
			s->match.text_at = text_at + 1;
			return 0;
		}
	} else if (text_at >= s->match.length) {
		s->match.matches = 1;
		return 1;
	}
	/* the newest '*' takes one more */
	if (!s->match.star || s->match.star_text >= s->match.length)
		return 1;
	s->match.star_text++;
	s->match.at = s->match.star;
	s->match.text_at = s->match.star_text;
	return 0;
}

static __always_inline bool text_matches(struct scratch *s, const struct pmt_glob *glob, bool file)
{
	struct glob_match m = {.glob = glob, .s = s, .file = file};
	const struct pmt_text *t = file ? &s->record.file : &s->record.name;

	s->match.at = s->match.text_at = s->match.star = s->match.star_text = 0;
	s->match.matches = 0;
	s->match.length = t->length;
	s->match.kind = t->kind;
	bpf_loop(PMT_FILE_BYTES * PMT_GLOB_CHARS, match_step, &m, 0);
	return s->match.matches;
}

struct glob_round {
	struct scratch *s;
};

/* match.done: bit 0 an --include was there, bit 1 one matched, bit 2 an --exclude did. */
static long match_one(__u32 i, struct glob_round *r)
{
	__u32 key = i, done = r->s->match.done;
	const struct pmt_glob *glob = bpf_map_lookup_elem(&globs, &key);
	bool matches;

	if (!glob || !glob->length)
		return 1;
	matches = text_matches(r->s, glob, false) || text_matches(r->s, glob, true);
	if (!glob->exclude)
		done |= matches ? 3 : 1;
	else if (matches)
		done |= 4;
	r->s->match.done = done;
	return 0;
}

/* Is the function whose code object is in s->code, of number fn, shown? */
static __noinline int function_is_shown(struct scratch *s, const struct pmt_walk *w, __u32 fn)
{
	struct glob_round r = {.s = s};
	__u32 *known, shown, done;

	if (!cfg_globs)
		return 1;
	if (!s || !w)
		return 0;
	known = bpf_map_lookup_elem(&shown_functions, &fn);
	if (known)
		return *known;
	/* a name that cannot be read matches nothing */
	read_text(&w->layout, CODE_U64(s, w->layout.code_name), &s->record.name,
		  s->record.name_bytes, PMT_NAME_BYTES, false);
	read_text(&w->layout, CODE_U64(s, w->layout.code_filename), &s->record.file,
		  s->record.file_bytes, PMT_FILE_BYTES, true);
	s->match.done = 0;
	bpf_loop(PMT_MAX_GLOBS, match_one, &r, 0);
	done = s->match.done;
	shown = !(done & 4) && (!(done & 1) || done & 2);
	bpf_map_update_elem(&shown_functions, &fn, &shown, BPF_ANY);
	return shown;
}

#endif
