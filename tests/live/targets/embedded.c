/* SPDX-License-Identifier: MIT */
/*
 * A program that embeds Python: embedded SOURCE STAGES, where STAGES is a word of letters, done in
 * this order:
 *
 *   p   blocks in pause(2) until SIGUSR1: the library is mapped, the interpreter is not there
 *   i   Py_Initialize
 *   r   runs SOURCE
 *   f   Py_FinalizeEx
 */
#include <Python.h>

#include <signal.h>
#include <unistd.h>

static void ignore(int signum)
{
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	for (const char *stage = argv[2]; *stage; stage++) {
		switch (*stage) {
		case 'p':
			signal(SIGUSR1, ignore);
			pause();
			break;
		case 'i':
			Py_InitializeEx(0);
			break;
		case 'r':
			if (PyRun_SimpleString(argv[1]))
				return 1;
			break;
		case 'f':
			Py_FinalizeEx();
			break;
		}
	}
	return 0;
}
