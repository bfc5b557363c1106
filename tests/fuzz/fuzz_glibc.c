/* SPDX-License-Identifier: MIT */
/*
 * malloc's structures that lie. Input: which version of glibc (one byte), then changes of a process made
 * by hand, 13 bytes each: where (u32, little-endian), what to do there, a number (u64). Whatever the
 * process says, the rows must have every resident byte once.
 */
#include "../unit/glibc_fixture.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	OP_WRITE, /* the number */
	OP_XOR,	  /* its lowest byte */
	OP_NEAR,  /* adds it to what is there */
	OP_LINK,  /* the address of a place in this process */
	OP_HOLE,  /* a page is not there */
	OP_MAPS,  /* a character of the list of mappings */
	NR_OPS,
};

/* Place n of all there are, 8-byte aligned. */
static uint64_t place(const struct scene *s, uint64_t n)
{
	uint64_t all = 0;

	for (int i = 0; i < NR_RANGES; i++)
		all += s->ranges[i].len;
	n = n * 8 % all;
	for (int i = 0; i < NR_RANGES; i++) {
		if (n < s->ranges[i].len)
			return s->ranges[i].start + n;
		n -= s->ranges[i].len;
	}
	return HEAP;
}

static void change(struct scene *s, uint32_t where, uint8_t op, uint64_t number)
{
	uint64_t at = place(s, where);

	switch (op % NR_OPS) {
	case OP_WRITE:
		put64(s, at, number);
		break;
	case OP_XOR:
		*scene_at(s, at + (where >> 24) % 8) ^= (uint8_t)number;
		break;
	case OP_NEAR:
		put64(s, at, get64(s, at) + (uint64_t)(int64_t)(int16_t)number);
		break;
	case OP_LINK:
		put64(s, at, place(s, number) + (number >> 60));
		break;
	case OP_HOLE:
		s->hole = at / MEM_PAGE * MEM_PAGE;
		break;
	case OP_MAPS:
		s->maps_text[where % strlen(s->maps_text)] = (char)(number ? number : ' ');
		break;
	}
}

static void check(const struct scene *s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->nr_rows; i++)
		sum += s->rows[i].bytes;
	if (sum != s->total || s->stats.trim_bytes > s->total)
		abort();
	if (s->g && !s->stats.exact && s->stats.version[0] && !s->stats.why_not[0])
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned int versions[] = {31, 32, 36, 42, 43};
	struct part parts[] = {{'c', 0x290}, {'u', 0x1000}, {'f', 0x5100},
			       {'t', 0x40},  {'u', 0x100},  {'b', 0x40},
			       {'t', 0x40},  {'u', 0x1000}, {0}};
	unsigned int minor = versions[size ? data[0] % 5 : 0];
	struct scene s;

	if (minor >= 42)
		parts[0].size = 0x300;
	if (minor == 43)
		parts[5].kind = 'u';
	scene_new(&s, minor, parts);
	for (size_t at = 1; at + 13 <= size; at += 13) {
		uint64_t number;
		uint32_t where;

		memcpy(&where, data + at, sizeof(where));
		memcpy(&number, data + at + 5, sizeof(number));
		change(&s, where, data[at + 4], number);
	}
	if (!scene_read(&s))
		glibc_stacks(s.g, s.account);
	check(&s);
	scene_done(&s);
	return 0;
}
