/* SPDX-License-Identifier: MIT */
/* Files that were saved before, by this program or by a Python that printed its account. */
#ifndef PMT_CMD_SAVED_H
#define PMT_CMD_SAVED_H

#include "model/snapshot.h"

#include <stdbool.h>

struct fault;

/*
 * A snapshot: JSON of ours, or text printed anywhere. A recording is no failure: ret is empty then,
 * and the file was not read further. The caller calls snapshot_done(). -EMEDIUMTYPE: another document
 * of ours.
 */
int saved_load(const char *path, struct snapshot *ret, bool *ret_recording, struct fault *f);

#endif
