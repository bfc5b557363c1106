/* SPDX-License-Identifier: MIT */
/* An explanation put together row by row, and the verdict on it. */
#ifndef TESTS_UNIT_VERDICT_FIXTURE_H
#define TESTS_UNIT_VERDICT_FIXTURE_H

#include "fixture.h"

#include "model/explanation.h"
#include "model/verdict.h"

#define KIB(x) ((uint64_t)(x) << 10)
#define MIB(x) ((uint64_t)((x)*1048576))

struct scene {
	struct explanation e;
	struct explanation_row rows[2 * MEMORY_KINDS];
	struct verdict v;
};

static inline struct explanation_row *scene_row(struct scene *s, enum memory_kind kind,
						uint64_t bytes)
{
	static char nameless[] = "";
	struct explanation_row *r = &s->rows[s->e.nr_rows++];

	*r = (struct explanation_row){
		.kind = kind, .name = nameless, .bytes = bytes, .exclusive = bytes};
	if (kind == MEMORY_FILE_TEXT) {
		r->exclusive = 0;
		s->e.kernel.shared += bytes;
	}
	s->e.total += bytes;
	return r;
}

/* A process of CPython 3.12 with the few MiB that each has; tests make it larger. */
static inline void scene_begin(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	s->e.rows = s->rows;
	s->e.python.version_hex = 0x030c01f0;
	s->e.threads = 1;
	s->e.has_pools = s->e.has_heap = true;
	strcpy(s->e.malloc, "glibc");
	s->e.pools = (struct pool_stats){
		.interpreters = 1,
		.arenas = 3,
		.arena_bytes = MIB(1),
		.pool_bytes = KIB(16),
		.pools_used = 120,
		.live_blocks = 14000,
		.live_bytes = KIB(1388),
	};
	s->e.heap = (struct heap_stats){
		.version = "2.36",
		.arenas = 1,
		.arena = KIB(1400),
		.mmap_threshold = KIB(128),
		.trim_threshold = KIB(128),
		.exact = true,
	};
	scene_row(s, MEMORY_PY_LIVE, KIB(1388));
	scene_row(s, MEMORY_HEAP_USED, KIB(1230));
	scene_row(s, MEMORY_FILE_TEXT, KIB(6608));
	scene_row(s, MEMORY_FILE_PRIVATE, KIB(1424));
	scene_row(s, MEMORY_STACK, KIB(64));
}

static inline void scene_judge(struct scene *s)
{
	verdict_of(&s->e, &s->v);
}

static inline void assert_findings(const struct scene *s, const enum finding *findings, size_t nr)
{
	assert_int_equal(s->v.nr_sentences, nr);
	for (size_t i = 0; i < nr; i++)
		assert_string_equal(finding_name(s->v.sentences[i].finding),
				    finding_name(findings[i]));
}

#define FOUND(s, ...)                                           \
	do {                                                    \
		enum finding found_[] = {__VA_ARGS__};          \
		assert_findings(s, found_, ARRAY_SIZE(found_)); \
	} while (0)

static inline void assert_remedies(const struct scene *s, const enum remedy *remedies, size_t nr)
{
	assert_int_equal(s->v.nr_remedies, nr);
	for (size_t i = 0; i < nr; i++)
		assert_string_equal(remedy_name(s->v.remedies[i].remedy), remedy_name(remedies[i]));
}

#define ADVISED(s, ...)                                             \
	do {                                                        \
		enum remedy advised_[] = {__VA_ARGS__};             \
		assert_remedies(s, advised_, ARRAY_SIZE(advised_)); \
	} while (0)

#endif
