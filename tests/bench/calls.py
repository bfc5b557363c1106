# SPDX-License-Identifier: MIT
"""Call-heavy: 150,049 calls of a small function in each round, no memory kept.
stdin: a line starts the measured rounds, its end ends the program."""
import sys
import time


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def work(rounds):
    for _ in range(rounds):
        fib(24)


def main():
    rounds = int(sys.argv[1])
    fib(12)
    sys.stdin.readline()
    cpu, wall = time.process_time(), time.perf_counter()
    work(rounds)
    print('FIGURES %.6f %.6f' % (time.process_time() - cpu, time.perf_counter() - wall), flush=True)
    sys.stdin.readline()


main()
