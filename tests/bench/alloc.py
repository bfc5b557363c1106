# SPDX-License-Identifier: MIT
"""Allocation-heavy: records, their JSON and back, texts; all dropped in each round.
stdin: a line starts the measured rounds, its end ends the program."""
import json
import sys
import time


def records(count):
    return [{'id': i, 'name': 'record %d' % i, 'tags': ['t%d' % i, 'all']} for i in range(count)]


def work(rounds):
    for _ in range(rounds):
        rows = records(30000)
        copy = json.loads(json.dumps(rows))
        texts = ['value %d ' % i * 3 for i in range(60000)]
        del rows, copy, texts


def main():
    rounds = int(sys.argv[1])
    work(1)  # reaches its size
    sys.stdin.readline()
    cpu, wall = time.process_time(), time.perf_counter()
    work(rounds)
    print('FIGURES %.6f %.6f' % (time.process_time() - cpu, time.perf_counter() - wall), flush=True)
    sys.stdin.readline()


main()
