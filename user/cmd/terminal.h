/* SPDX-License-Identifier: MIT */
/* What the terminal that is written to can show. */
#ifndef PMT_CMD_TERMINAL_H
#define PMT_CMD_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* Its columns; 0: fd is none. (A sink's stream has no descriptor of its own: sink.fd.) */
size_t terminal_width(int fd);

/* By the user's locale; what is not a terminal has ASCII alone. */
bool terminal_utf8(int fd);

/* It is one that knows colours, and NO_COLOR is not set. */
bool terminal_colour(int fd);

#endif
