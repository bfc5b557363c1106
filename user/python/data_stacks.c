/* SPDX-License-Identifier: MIT */
/*
 * Chunks of the stacks that Python's frames are on since 3.11 (bpo-44590). No offset is needed: of the
 * words of a thread state, three in a row are
 *
 *	datastack_chunk		a page: {previous chunk, its size, what is used of it}
 *	datastack_top		in it
 *	datastack_limit		its end
 *
 * and nothing else is. One more word, since 3.15, is a chunk kept for later.
 */
#include "python/pool_parts.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/log.h"
#include "model/account.h"
#include "python/internal.h"

#include <errno.h>

#define MAX_INTERPRETERS 1024
#define MAX_THREADS	 65536
#define MAX_CHUNKS	 4096 /* of one thread; each is at least 16 KiB */
#define TSTATE_WORDS	 128
#define CHUNK_MAX	 (1u << 30)

struct chunk {
	uint64_t previous, bytes, top;
};

struct stacks {
	struct python *p;
	struct account *account;
	int chunks;
};

static bool chunk_read(struct stacks *s, uint64_t addr, struct chunk *ret)
{
	uint64_t present = 0;

	if (!addr || addr % MEM_PAGE || mem_presence(s->p->mem, addr, 1, &present) ||
	    !(present & 1) || mem_read_present(s->p->mem, addr, ret, sizeof(*ret)))
		return false;
	return ret->bytes && ret->bytes % MEM_PAGE == 0 && ret->bytes <= CHUNK_MAX &&
	       ret->previous % MEM_PAGE == 0;
}

static int add_chunks(struct stacks *s, uint64_t addr)
{
	struct chunk c;
	int err = 0;

	for (int i = 0; i < MAX_CHUNKS && !err && chunk_read(s, addr, &c); i++) {
		err = account_area(s->account, addr, addr + c.bytes, MEMORY_DATA_STACK, NULL, NULL);
		s->chunks++;
		addr = c.previous;
	}
	return err;
}

static int add_thread(struct stacks *s, uint64_t tstate)
{
	uint64_t words[TSTATE_WORDS];
	size_t nr = TSTATE_WORDS;
	struct chunk c;
	int err = 0;

	/* it is smaller, and may be the last thing in its mapping */
	while (nr && mem_read(s->p->mem, tstate, words, nr * 8))
		nr /= 2;
	for (size_t i = 0; i + 2 < nr && !err; i++) {
		/* cheap, and almost never true of other words */
		if (!words[i] || words[i] % MEM_PAGE || words[i + 1] <= words[i] ||
		    words[i + 1] > words[i + 2] || words[i + 2] - words[i] > CHUNK_MAX ||
		    !chunk_read(s, words[i], &c) || words[i] + c.bytes != words[i + 2])
			continue;
		err = add_chunks(s, words[i]);
		if (!err && i + 3 < nr && chunk_read(s, words[i + 3], &c) && !c.previous)
			err = add_chunks(s, words[i + 3]);
		break;
	}
	return err;
}

static int add_threads(struct stacks *s, uint64_t interp)
{
	const struct py_layout *l = &s->p->layout;
	uint64_t tstate;
	int err = 0;

	if (mem_read_u64(s->p->mem, interp + l->interp_threads, &tstate))
		return 0;
	for (int i = 0; tstate && i < MAX_THREADS && !err; i++) {
		err = add_thread(s, tstate);
		if (mem_read_u64(s->p->mem, tstate + l->tstate_next, &tstate))
			break;
	}
	return err;
}

int python_account_data_stacks(struct python *p, struct account *a, struct fault *f)
{
	const struct py_layout *l = &p->layout;
	struct stacks s = {.p = p, .account = a};
	uint64_t interp;
	int err = 0;

	if (!p->has_layout || PY_MINOR(p->id.version_hex) < 0x030b || !p->runtime ||
	    l->interp_threads == PY_NONE || l->interp_next == PY_NONE || l->tstate_next == PY_NONE)
		return 0;
	if (mem_read_u64(p->mem, py_interpreters_head(p), &interp))
		return 0;
	for (int i = 0; interp && i < MAX_INTERPRETERS && !err; i++) {
		err = add_threads(&s, interp);
		if (mem_read_u64(p->mem, interp + l->interp_next, &interp))
			break;
	}
	if (err)
		return fault_errno(f, -err, "data stacks of pid %d", (int)p->target->pid);
	log_debug("%d chunks of data stacks", s.chunks);
	return s.chunks;
}
