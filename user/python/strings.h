/* SPDX-License-Identifier: MIT */
/*
 * Characters as CPython stores them (PEP 393) -> UTF-8.
 */
#ifndef PMT_PYTHON_STRINGS_H
#define PMT_PYTHON_STRINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room that python_text() needs for a string that was not cut, its NUL included. */
#define PYTHON_TEXT_SIZE(nr_chars) ((size_t)(nr_chars)*6 + 4)

/*
 * nr characters of `kind` bytes each (1: ASCII or Latin-1, 2, 4), stored at raw, as valid UTF-8 with a
 * NUL behind. cut: there were more characters than these; "…" says so, and so it does when buf is full.
 * A lone surrogate, which is how Python keeps an undecodable byte of a file name, becomes "\udc80";
 * what is no character and NUL become U+FFFD. Another kind: "". Returns buf.
 */
char *python_text(char *buf, size_t size, unsigned int kind, const void *raw, size_t nr, bool cut);

#endif
