/* SPDX-License-Identifier: MIT */
/* Arithmetic of reports; their texts are in output/report.c. */
#include "model/report.h"

bool report_health_any(const struct report_health *h)
{
	return h->events_disagreed || h->events_unread || h->state_disagreed || h->records_lost ||
	       h->targets_lost || h->rss_lost || read_losses_any(&h->read);
}

int64_t report_outside_pymalloc(const struct rss *rss, const struct malloc_stats *s)
{
	int64_t arenas = (int64_t)(s->arenas_current * s->arena_bytes);
	int64_t anon = rss->anon + rss->swap;

	return arenas >= 0 && arenas < anon ? anon - arenas : 0;
}
