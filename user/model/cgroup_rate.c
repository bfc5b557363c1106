/* SPDX-License-Identifier: MIT */
/*
 * The line of least squares through the readings
 *
 *	bytes = a + b * seconds,   s: deviation of the readings from it,   b's error = s / sqrt(Sxx)
 *
 * is taken for the growth if all of these hold:
 *	- b is above zero beyond its error, by Student's t at 1 in 1000: of four readings of mere noise
 *	  one thing is as likely as another
 *	- s is at most a tenth of what it grew: of a single step s is a fifth, of a sawtooth more
 *	- it does not level off: its last third is at least two thirds as steep as the one before
 */
#include "model/cgroup_rate.h"

#include "base/cleanup.h"
#include "model/cgroup.h"

#include <math.h>
#include <string.h>

#define MIN_READINGS 4
/* The kernel charges memory to a cgroup in pieces of 64 pages, for each CPU. */
#define MIN_GROWTH     (256.0 * 1024)
#define MAX_DEVIATION  (1 / 10.0)
#define MIN_LATE_SLOPE (2 / 3.0)

/* One-sided, 0.999, by degrees of freedom from 2 on: readings less the two figures of the line. */
static const double student_t[] = {22.33, 10.21, 7.173, 5.893, 5.208, 4.785, 4.501,
				   4.297, 4.144, 4.025, 3.930, 3.852, 3.787};

_Static_assert(ARRAY_SIZE(student_t) == CGROUP_RATE_READINGS - MIN_READINGS + 1, "one for each");

struct line {
	double slope, error, deviation, growth; /* growth: from the first reading to the last */
};

void cgroup_rate_add_bytes(struct cgroup_rate *r, int64_t time_ns, uint64_t bytes)
{
	if (r->nr && time_ns <= r->time_ns[r->nr - 1])
		r->nr = 0;
	if (r->nr == CGROUP_RATE_READINGS) {
		r->nr--;
		memmove(r->time_ns, r->time_ns + 1, r->nr * sizeof(r->time_ns[0]));
		memmove(r->bytes, r->bytes + 1, r->nr * sizeof(r->bytes[0]));
	}
	r->time_ns[r->nr] = time_ns;
	r->bytes[r->nr++] = bytes;
}

void cgroup_rate_add(struct cgroup_rate *r, int64_t time_ns, const struct memory_cgroup *c)
{
	uint64_t bytes = c->version ? memory_cgroup_kept(c) : CGROUP_UNKNOWN;

	if (bytes == CGROUP_UNKNOWN)
		r->nr = 0;
	else
		cgroup_rate_add_bytes(r, time_ns, bytes);
}

/* From the first reading on, so that no digits are lost. */
static double seconds(const struct cgroup_rate *r, size_t i)
{
	return (double)(r->time_ns[i] - r->time_ns[0]) / 1e9;
}

static double bytes(const struct cgroup_rate *r, size_t i)
{
	return (double)r->bytes[i] - (double)r->bytes[0];
}

/* The means of readings [from, to). */
static void mean_of(const struct cgroup_rate *r, size_t from, size_t to, double *x, double *y)
{
	*x = *y = 0;
	for (size_t i = from; i < to; i++) {
		*x += seconds(r, i);
		*y += bytes(r, i);
	}
	*x /= (double)(to - from);
	*y /= (double)(to - from);
}

static struct line fit(const struct cgroup_rate *r)
{
	double x, y, sxx = 0, sxy = 0, rest = 0;
	struct line l;

	mean_of(r, 0, r->nr, &x, &y);
	for (size_t i = 0; i < r->nr; i++) {
		sxx += (seconds(r, i) - x) * (seconds(r, i) - x);
		sxy += (seconds(r, i) - x) * (bytes(r, i) - y);
	}
	l.slope = sxy / sxx;
	for (size_t i = 0; i < r->nr; i++) {
		double off = bytes(r, i) - y - l.slope * (seconds(r, i) - x);

		rest += off * off;
	}
	l.deviation = sqrt(rest / (double)(r->nr - 2));
	l.error = l.deviation / sqrt(sxx);
	l.growth = l.slope * seconds(r, r->nr - 1);
	return l;
}

static bool levels_off(const struct cgroup_rate *r)
{
	size_t third = r->nr / 3;
	double x[3], y[3];

	mean_of(r, 0, third, &x[0], &y[0]);
	mean_of(r, third, r->nr - third, &x[1], &y[1]);
	mean_of(r, r->nr - third, r->nr, &x[2], &y[2]);
	return (y[2] - y[1]) / (x[2] - x[1]) < MIN_LATE_SLOPE * (y[1] - y[0]) / (x[1] - x[0]);
}

bool cgroup_rate_steady(const struct cgroup_rate *r, struct cgroup_growth *ret)
{
	struct line l;

	if (r->nr < MIN_READINGS)
		return false;
	l = fit(r);
	if (l.growth < MIN_GROWTH || l.slope <= l.error * student_t[r->nr - MIN_READINGS] ||
	    l.deviation > l.growth * MAX_DEVIATION || levels_off(r))
		return false;
	*ret = (struct cgroup_growth){.bytes_per_second = l.slope, .error = l.error};
	return true;
}
