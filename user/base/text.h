/* SPDX-License-Identifier: MIT */
/*
 * Numbers and untrusted strings as a person reads them, and back: sizes, times, PID lists.
 */
#ifndef PMT_BASE_TEXT_H
#define PMT_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "1,048,576"; with plus also "+1,048,576". Returns buf. */
char *text_thousands(char buf[static 32], int64_t value, bool plus);

/* Bytes in the unit that fits: "0 B", "96.0 KiB", "198.2 MiB"; with plus a sign always. */
char *text_size(char buf[static 24], int64_t bytes, bool plus);

/* A change: "+14.2 MiB", "−14.2 MiB" (U+2212), "0 B". Returns buf. */
char *text_net(char buf[static 32], int64_t bytes);

/* The same to the byte: "+14,889,780", "−14,889,780", "0". Returns buf. */
char *text_net_bytes(char buf[static 40], int64_t bytes);

/* Bytes that are never below 0, where an empty cell says none: "14.2 MiB", "". Returns buf. */
char *text_gross(char buf[static 32], int64_t bytes);

/* Local time of nanoseconds since 1970: "12:00:05", with date "2023-11-15 12:00:05". Returns buf. */
char *text_clock(char buf[static 32], int64_t ns, bool date);

/*
 * Copies at most size - 1 bytes of printable text: control characters, DEL, invisible characters
 * that reorder text, and bytes that are not valid UTF-8 become \xHH, a backslash becomes two. For
 * everything a target process can choose.
 */
char *text_escape(char *buf, size_t size, const char *s, size_t len);

/* Bytes that are not valid UTF-8 become question marks. */
void text_repair_utf8(char *s);

/* *to, which is freed, becomes a copy of s so repaired; it stays what it was when memory ran out. */
void text_replace(char **to, const char *s);

/* "90s" "5m" "1.5h" "0.2" -> nanoseconds. -EINVAL: not a positive finite time below 10 years. */
int text_parse_time(const char *s, uint64_t *ret_ns);

/* "4096" "4K" "10M" "1G" (powers of 1024) -> bytes. -EINVAL otherwise. */
int text_parse_size(const char *s, uint64_t *ret_bytes);

/* A whole decimal number min..max and nothing else. -EINVAL otherwise. */
int text_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);

#endif
