/* SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include "base/clock.h"

#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#define FACTOR 0x9e3779b97f4a7c15ull

static uint64_t secret(void)
{
	static uint64_t value;

	if (!value && getrandom(&value, sizeof(value), GRND_NONBLOCK) != sizeof(value))
		value = (uint64_t)clock_monotonic_ns();
	value |= 1;
	return value;
}

/* Eight bytes at a time; both halves of each product count, and the secret is in every step. */
static uint64_t mix(uint64_t h, uint64_t word)
{
	unsigned __int128 product = (unsigned __int128)(h ^ word) * (secret() ^ FACTOR);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

unsigned int hash_bytes(const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	uint64_t h = mix(secret(), len), word;

	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = mix(h, word);
	}
	word = 0;
	memcpy(&word, p, len);
	h = mix(h, word);
	return (unsigned int)(h ^ (h >> 32));
}
