/* SPDX-License-Identifier: MIT */
/*
 * One failure, described where it is known and printed where it is decided: layers below user/cmd
 * never print, they return -errno and fill a struct fault.
 *
 *   pymemtrace-bpf: /usr/bin/python3.11 has no symbol 'arenas'      <- text
 *   hint: install python3.11-dbg                                    <- hint, may be empty
 */
#ifndef PMT_BASE_FAULT_H
#define PMT_BASE_FAULT_H

struct fault {
	int err;	/* positive errno, 0: no fault */
	char text[512]; /* a sentence without full stop, safe for a terminal */
	char hint[512]; /* what the user can do; empty if there is nothing to say */
};

/*
 * Fills f (which may be NULL) and returns -err. Untrusted strings in the arguments are the caller's
 * to escape (text_escape); control characters that remain are replaced here all the same.
 */
int fault_set(struct fault *f, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As fault_set, and appends ": " and strerror(err) to the text. */
int fault_errno(struct fault *f, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Sets the hint of an already filled fault; f may be NULL. */
void fault_hint(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void fault_clear(struct fault *f);

#endif
