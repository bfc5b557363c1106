/* SPDX-License-Identifier: MIT */
#include "target/mem.h"

void mem_close(struct mem *m)
{
	if (m)
		m->ops->close(m);
}
