/* SPDX-License-Identifier: MIT */
/* What the loads of documents have in common (json_load.c). */
#ifndef PMT_OUTPUT_JSON_LOADER_H
#define PMT_OUTPUT_JSON_LOADER_H

#include "output/fields.h"

#include <jansson.h>
#include <stddef.h>

struct fault;

/* Of which file, for messages. */
struct loader {
	const char *name;
	struct fault *fault;
};

/* A document of this kind; -EMEDIUMTYPE: it is of another. The caller releases it. */
int loader_open(const struct loader *l, const char *text, size_t len, const char *kind,
		json_t **ret);

/* -EINVAL: x.json: "stats.pymalloc.classes" is missing or not what it should be */
int loader_wrong(const struct loader *l, const char *where, const char *member);

/* Every row of the table; where: "stats.pymalloc.", "" for the document's own. -EINVAL, -ENOMEM */
int loader_record(const struct loader *l, const json_t *object, const struct field_table *t,
		  const char *where, void *record);

static inline void json_decref_(json_t **j)
{
	json_decref(*j);
}

#endif
