/* SPDX-License-Identifier: MIT */
/*
 * The probes of function entry and exit: which there are in an interpreter, what each costs on this
 * machine, and whether that is a price to be paid unasked.
 */
#ifndef PMT_CMD_CALL_SITES_H
#define PMT_CMD_CALL_SITES_H

#include "model/calls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fault;
struct options;
struct python;
struct trace;

struct call_sites {
	const struct options *o;
	struct trace *trace;
	struct calls *table; /* gets each site with its cost */
	bool entries_only;   /* for the estimate; exits come when it is over */
	bool told_slow, told_yields;
	double entry_ns, exit_ns; /* of a hit that is only counted; 0: none attached */
	struct probed_file *files;
	size_t nr_files;
};

void call_sites_init(struct call_sites *s, const struct options *o, struct trace *t,
		     struct calls *table);
void call_sites_done(struct call_sites *s);

/*
 * Puts the probes in that pid needs. Again changes nothing, but for what entries_only left out.
 * EOPNOTSUPP: they are slow, and that was not allowed; ENOTSUP: there is no way to see them. The
 * interpreter may not be initialised yet.
 */
int call_sites_attach(struct call_sites *s, pid_t pid, struct python *p, struct fault *f);

#endif
