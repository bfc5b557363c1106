/* SPDX-License-Identifier: MIT */
/*
 * What must be true of a recording as a whole, whatever its frames said: sums fit, every thread has a
 * process, going through it takes a bounded time, and it adds up.
 */
#include "output/pmt_internal.h"

#include "base/cleanup.h"

#include <errno.h>

/* Sums of everything stay far from the ends of int64_t. */
static bool add_figures(uint64_t *sum, const struct profile_change *c)
{
	*sum += (uint64_t)c->growth + (uint64_t)c->shrink + c->events;
	return *sum <= INT64_MAX / 4;
}

static bool sums_fit(const struct profile *p)
{
	uint64_t sum = 0, bytes = 0;

	for (uint32_t i = 0; i < p->nr_rows; i++)
		if (!add_figures(&sum, &p->rows[i].change))
			return false;
	for (uint32_t i = 0; i < p->nr_processes; i++) {
		const struct profile_change *causes = p->processes[i].causes[0];

		for (int c = 0; c < PROFILE_EVENTS * PROFILE_CAUSES; c++)
			if (!add_figures(&sum, &causes[c]))
				return false;
		bytes += (uint64_t)p->processes[i].rss_before + (uint64_t)p->processes[i].rss_after;
		if (bytes > INT64_MAX / 4)
			return false;
	}
	for (uint32_t i = 0; i < p->nr_arenas; i++) {
		bytes += p->arenas[i].bytes;
		if (bytes > INT64_MAX / 4)
			return false;
	}
	return true;
}

static int by_pid(const void *a, const void *b)
{
	const pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * Every thread and arena is of a process that there is: one that the recorder never came to know
 * (short-lived, and the file was cut) is added.
 */
static int add_processes(struct pmt_builder *b)
{
	struct profile *p = b->p;
	const size_t known = p->nr_processes;
	const size_t nr = known + p->nr_threads + p->nr_arenas;
	_cleanup_free_ pid_t *pids = calloc(nr + 1, sizeof(*pids));
	size_t n = known;
	int err = 0;

	if (!pids)
		return -ENOMEM;
	for (size_t i = 0; i < known; i++)
		pids[i] = p->processes[i].pid;
	for (uint32_t i = 0; i < p->nr_threads; i++)
		pids[n++] = p->threads[i].pid;
	for (uint32_t i = 0; i < p->nr_arenas; i++)
		pids[n++] = p->arenas[i].pid;
	qsort(pids, known, sizeof(*pids), by_pid);
	qsort(pids + known, nr - known, sizeof(*pids), by_pid);
	for (size_t i = known; i < nr && !err; i++) {
		struct profile_process *new;

		if ((i > known && pids[i] == pids[i - 1]) ||
		    bsearch(&pids[i], pids, known, sizeof(*pids), by_pid))
			continue;
		if (p->nr_processes >= PMT_MAX_PROCESSES)
			return pmt_bad(b, "too many processes");
		err = profile_add_process(p, pids[i], &new);
	}
	return err;
}

int pmt_finish(struct pmt_builder *b)
{
	const struct profile *p = b->p;
	int err = add_processes(b);

	if (err)
		return err;
	if (!sums_fit(p))
		return pmt_bad(b, "its figures are impossible together");
	if ((uint64_t)p->nr_processes * p->nr_rows > PMT_MAX_SEARCH)
		return pmt_bad(b, "more processes and rows than this program can go through");
	profile_balance(b->p);
	return 0;
}
