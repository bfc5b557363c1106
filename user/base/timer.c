/* SPDX-License-Identifier: MIT */
#include "base/timer.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

int timer_open(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

static struct timespec seconds(uint64_t ns)
{
	return (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
}

void timer_arm(int fd, uint64_t first_ns, uint64_t every_ns)
{
	struct itimerspec t = {.it_value = seconds(first_ns), .it_interval = seconds(every_ns)};

	timerfd_settime(fd, 0, &t, NULL);
}

bool timer_expired(int fd)
{
	uint64_t times;

	return read(fd, &times, sizeof(times)) == sizeof(times);
}
