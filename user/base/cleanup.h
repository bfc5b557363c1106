/* SPDX-License-Identifier: MIT */
/*
 * Scope-bound release of what a function holds: fds, heap blocks, FILEs.
 * Every destructor accepts the empty value (-1, NULL), so a variable declared with one must be
 * initialised with it.
 */
#ifndef PMT_BASE_CLEANUP_H
#define PMT_BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_fd_(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_file_(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void cleanup_dir_(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define _cleanup_(f)   __attribute__((cleanup(f)))
#define _cleanup_free_ _cleanup_(cleanup_free_)
#define _cleanup_fd_   _cleanup_(cleanup_fd_)
#define _cleanup_file_ _cleanup_(cleanup_file_)
#define _cleanup_dir_  _cleanup_(cleanup_dir_)

/* Takes the value out of a cleanup variable: the caller owns it from here on. */
#define steal_ptr(p)                        \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

static inline int steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define min(a, b)                       \
	({                              \
		__typeof__(a) a_ = (a); \
		__typeof__(b) b_ = (b); \
		a_ < b_ ? a_ : b_;      \
	})
#define max(a, b)                       \
	({                              \
		__typeof__(a) a_ = (a); \
		__typeof__(b) b_ = (b); \
		a_ > b_ ? a_ : b_;      \
	})

#endif
