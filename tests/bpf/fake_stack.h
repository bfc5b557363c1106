/* SPDX-License-Identifier: MIT */
/*
 * Interpreters, threads, frames and code objects as a walk of the stack finds them, in memory that the
 * test shares with its child: the test lays them out, true or false, and the child is walked through
 * them at the same addresses.
 *
 *	walk -> interp -> thread -> thread ...        frame -> frame -> ...
 *	                    `-----> running frame ---'  `-> code -> name, file, lines
 */
#ifndef PMT_TESTS_FAKE_STACK_H
#define PMT_TESTS_FAKE_STACK_H

#include "pymemtrace/abi_user.h"
#include "pymemtrace/stack_abi.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define NR_FAKE_THREADS 600
#define NR_FAKE_FRAMES	400
#define NR_FAKE_CODES	4000
#define FAKE_FILE_BYTES 8000

struct fake_thread {
	uint64_t next, thread_id, frame;
	uint64_t exception; /* that is on its way */
};

struct fake_str {
	uint64_t length;
	int64_t hash;	/* -1: not asked for yet */
	uint32_t state; /* interned : 2, kind : 3, compact : 1, ascii : 1 */
	uint32_t pad;
	char ascii[40];
};

struct fake_code {
	uint64_t type;
	uint64_t name, file, table;
	int32_t first_line;
	uint32_t pad;
	uint16_t units[8]; /* opcode, and its argument in the high byte */
};

/* What frames of all versions have; how much of it a version has, says the layout. */
struct fake_frame {
	uint64_t previous, code;
	uint64_t instr, stacktop;
	int32_t lasti;
	int8_t state;
	uint8_t owner;
};

struct fake_world {
	uint64_t current; /* the pointer to the thread that holds the GIL */
	uint64_t head;	  /* the pointer to the first interpreter */
	struct {
		uint64_t next, threads;
	} interps[40];
	struct fake_thread threads[NR_FAKE_THREADS];
	struct fake_code codes[NR_FAKE_CODES];
	struct fake_str names[NR_FAKE_CODES];
	struct {
		uint64_t length;
		char bytes[40];
	} table;
	struct {
		uint64_t length;
		int64_t hash;
		uint32_t state, pad;
		char ascii[FAKE_FILE_BYTES];
	} long_file;
	/* the last: alone on its pages */
	struct fake_frame frames[NR_FAKE_FRAMES] __attribute__((aligned(4096)));
	char type[4096] __attribute__((aligned(4096)));
};

#define FAKE_STATE(kind) ((kind) << 2 | 1 << 5 | 1 << 6) /* compact, ASCII */

static inline uint64_t fake_address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static inline struct pmt_walk fake_walk(const struct fake_world *w)
{
	struct pmt_walk walk = {
		.current_addr = fake_address(&w->current),
		.interp_head_addr = fake_address(&w->head),
		.code_type = fake_address(w->type),
		.frame_bytes = sizeof(struct fake_frame),
		.code_bytes = sizeof(struct fake_code),
		/* all of the user's addresses: no leaf is native */
		.text_end = {UINT64_MAX},
	};
	struct py_layout *l = &walk.layout;

	memset(l, 0xff, sizeof(*l)); /* PY_NONE */
	l->interp_next =
		offsetof(struct fake_world, interps[0].next) - offsetof(struct fake_world, interps);
	l->interp_threads = offsetof(struct fake_world, interps[0].threads) -
			    offsetof(struct fake_world, interps);
	l->tstate_next = offsetof(struct fake_thread, next);
	l->tstate_thread_id = offsetof(struct fake_thread, thread_id);
	l->tstate_frame = offsetof(struct fake_thread, frame);
	l->frame_previous = offsetof(struct fake_frame, previous);
	l->frame_code = offsetof(struct fake_frame, code);
	l->frame_lasti = offsetof(struct fake_frame, lasti);
	l->frame_owner = offsetof(struct fake_frame, owner);
	l->object_type = offsetof(struct fake_code, type);
	l->code_firstlineno = offsetof(struct fake_code, first_line);
	l->code_filename = offsetof(struct fake_code, file);
	l->code_name = offsetof(struct fake_code, name);
	l->code_linetable = offsetof(struct fake_code, table);
	l->unicode_length = offsetof(struct fake_str, length);
	l->unicode_state = offsetof(struct fake_str, state);
	l->unicode_kind_bit = l->unicode_state * 8 + 2;
	l->unicode_compact_bit = l->unicode_state * 8 + 5;
	l->unicode_ascii_bit = l->unicode_state * 8 + 6;
	l->unicode_ascii_size = offsetof(struct fake_str, ascii);
	l->unicode_compact_size = offsetof(struct fake_str, ascii) + 16;
	l->bytes_size =
		offsetof(struct fake_world, table.length) - offsetof(struct fake_world, table);
	l->bytes_data =
		offsetof(struct fake_world, table.bytes) - offsetof(struct fake_world, table);
	return walk;
}

/* frames[0] is the leaf; each runs the code of its own number, from first on. */
static inline void fake_chain(struct fake_world *w, unsigned int nr, unsigned int first)
{
	memset(w->frames, 0, sizeof(w->frames));
	for (unsigned int i = 0; i < nr; i++)
		w->frames[i] = (struct fake_frame){
			.previous = i + 1 < nr ? fake_address(&w->frames[i + 1]) : 0,
			.code = fake_address(&w->codes[(first + i) % NR_FAKE_CODES]),
			.lasti = (int32_t)i * 2,
		};
	w->threads[0].frame = fake_address(&w->frames[0]);
}

/* One interpreter with one thread, which is `self`, and names for all code. */
static inline void fake_world_init(struct fake_world *w, uint64_t self)
{
	memset(w, 0, sizeof(*w));
	w->head = fake_address(&w->interps[0]);
	w->interps[0].threads = fake_address(&w->threads[0]);
	w->threads[0].thread_id = self;
	for (unsigned int i = 0; i < NR_FAKE_CODES; i++) {
		struct fake_str *name = &w->names[i];

		name->length = (uint64_t)snprintf(name->ascii, sizeof(name->ascii), "f%u", i);
		name->hash = i % 2 ? -1 : (int64_t)i;
		name->state = FAKE_STATE(1);
		w->codes[i] = (struct fake_code){
			.type = fake_address(w->type),
			.name = fake_address(name),
			.file = fake_address(&w->names[0]),
			.table = fake_address(&w->table),
			.first_line = (int32_t)i + 1,
		};
	}
	w->table.length = sizeof(w->table.bytes);
	w->long_file.length = FAKE_FILE_BYTES;
	w->long_file.hash = -1;
	w->long_file.state = FAKE_STATE(1);
	memset(w->long_file.ascii, 'd', FAKE_FILE_BYTES);
	fake_chain(w, 3, 0);
}

#endif
