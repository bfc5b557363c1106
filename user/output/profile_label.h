/* SPDX-License-Identifier: MIT */
/*
 * What functions and nodes of a profile are called. Labels are escaped (text_escape): valid UTF-8
 * without control characters, cut at the end of their buffer. Each function returns buf.
 */
#ifndef PMT_OUTPUT_PROFILE_LABEL_H
#define PMT_OUTPUT_PROFILE_LABEL_H

#include "model/profile_tree.h"

#define PROFILE_LABEL_SIZE 2048 /* what the longest name that is worth reading needs */

/* "Loader.load", "<native: libfoo.so>", "?" */
char *profile_function_label(char *buf, size_t size, const struct profile_function *f);
/* "/srv/app/load.py:40"; without line 0, "" without file */
char *profile_place_label(char *buf, size_t size, const struct profile_function *f, int32_t line);
/* "Loader.load (/srv/app/load.py:40)" */
char *profile_frame_label(char *buf, size_t size, const struct profile_function *f, int32_t line);

/* "pid 4242 (python3 app.py)", "thread 4243 (worker)" */
char *profile_process_label(char *buf, size_t size, const struct profile *p, pid_t pid);
char *profile_thread_label(char *buf, size_t size, const struct profile_thread *t);

#define PROFILE_TRUNCATED_TEXT "[truncated]"

/* Of every kind; functions with their place at their first line; the root is "all". */
char *profile_node_label(char *buf, size_t size, const struct profile *p,
			 const struct profile_node *n);

#endif
