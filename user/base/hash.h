/* SPDX-License-Identifier: MIT */
/*
 * Hash tables of names and files that somebody else chose: uthash with a hash that has a secret of this
 * run, so that nobody can choose names that all fall into one bucket. Included instead of <uthash.h>.
 */
#ifndef PMT_BASE_HASH_H
#define PMT_BASE_HASH_H

#include <stddef.h>

/* 32 bits of len bytes. */
unsigned int hash_bytes(const void *bytes, size_t len);

#define HASH_FUNCTION(key, len, hash) ((hash) = hash_bytes(key, len))

#include <uthash.h>

#endif
