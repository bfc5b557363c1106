/* SPDX-License-Identifier: MIT */
/* What the terminal that is written to can show. */
#ifndef PMT_CMD_TERMINAL_H
#define PMT_CMD_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Its columns; 0: out is none. */
size_t terminal_width(FILE *out);

/* By the user's locale; what is not a terminal has ASCII alone. */
bool terminal_utf8(FILE *out);

/* It is one that knows colours, and NO_COLOR is not set. */
bool terminal_colour(FILE *out);

#endif
