/* SPDX-License-Identifier: MIT */
/*
 * A program with another C library than its neighbours: half of what it has asked for is free again. Then it has
 * a thread, says where its stack is, and waits.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NR 40000

static void *say(void *arg)
{
	volatile char used[60000];
	pthread_attr_t attr;
	void *stack;
	size_t size;

	for (size_t i = 0; i < sizeof(used); i++)
		used[i] = 1;
	if (pthread_getattr_np(pthread_self(), &attr) ||
	    pthread_attr_getstack(&attr, &stack, &size))
		exit(1);
	printf("%lx %lx\n", (unsigned long)stack, (unsigned long)size);
	fflush(stdout);
	for (;;)
		pause();
	return arg;
}

int main(void)
{
	static char *blocks[NR];
	pthread_t thread;

	for (int i = 0; i < NR; i++) {
		blocks[i] = malloc(1000);
		if (!blocks[i])
			return 1;
		memset(blocks[i], 1, 1000);
	}
	for (int i = 0; i < NR; i += 2)
		free(blocks[i]);
	if (pthread_create(&thread, NULL, say, NULL))
		return 1;
	for (;;)
		pause();
}
