# SPDX-License-Identifier: MIT
"""`calls` comes and goes a hundred times while a program does nothing but call: whether it survives,
whether it is as fast as before, and how long coming and going take."""
import time

import benchlib as bench
from benchlib import Program, live, spread, table
from caller import Caller

TIMES = 100
SPEEDS = 9           # measurements of the speed, before and after
SLOWER = 1.05        # at most, by the best of them
# A line of stdin: "measure N" prints what N rounds of calls took, "work" calls until the next line.
SOURCE = '''
import select, sys, time
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
for line in sys.stdin:
    words = line.split()
    if words[0] == 'work':
        print('working', flush=True)
        while not select.select([sys.stdin], [], [], 0)[0]:
            fib(16)
    else:
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(int(words[1])):
            fib(20)
        print('FIGURES %.6f %.6f' % (time.process_time() - cpu, time.perf_counter() - wall),
              flush=True)
'''
ROUNDS = 100


def say(p, line):
    p.process.stdin.write(line.encode() + b'\n')
    p.process.stdin.flush()


def speeds(p):
    """CPU ms of its rounds."""
    found = []
    for _ in range(SPEEDS):
        say(p, 'measure %d' % ROUNDS)
        found.append(p.figures()[0] * 1e3)
    return found


def once(pid):
    """(ms from the tool's start until it counts, ms from Ctrl-C to its end, calls seen)"""
    with Caller(pid) as tool:
        start = time.monotonic()
        doc = tool.table()
        return tool.attach_ms, (time.monotonic() - start) * 1e3, doc['entries']


def report(python):
    """Markdown, and whether the promises were kept."""
    bench.info('attach and detach %d times, %s' % (TIMES, python))
    with Program(python.command('-c', SOURCE)) as p:
        speeds(p)  # the first rounds specialise the code
        before = speeds(p)
        say(p, 'work')
        assert p.process.stdout.readline() == b'working\n'
        times = [once(p.pid) for _ in range(TIMES)]
        alive = p.process.poll() is None
        live.wait_restored(p.pid)
        after = speeds(p)
    attach, detach, entries = zip(*times)
    ratio = min(after) / min(before)
    ok = alive and ratio <= SLOWER
    text = ('### Coming and going\n\n'
            '%d times on a program that does nothing but call, by %s. From the start of the tool '
            'until it counts, and from Ctrl-C to its end, with its table. Its speed: CPU time of %d '
            'rounds of fib(20). Median (least–most) of %d before and %d after; the program\'s text '
            'was as in its file again by then.\n\n' % (TIMES, python, ROUNDS, SPEEDS, SPEEDS))
    return text + table(
        ('', ''),
        ('attach, ms', spread(attach, '%.0f')),
        ('detach, ms', spread(detach, '%.0f')),
        ('entries it saw', format(sum(entries), ',')),
        ('ms before', spread(before, '%.1f')),
        ('ms after', spread(after, '%.1f')),
        ('ratio of the best', '%.3f, at most %.2f: %s' % (ratio, SLOWER, bench.verdict(ok)))), ok
