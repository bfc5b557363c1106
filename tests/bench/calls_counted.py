# SPDX-License-Identifier: MIT
"""What an entry and an exit cost `calls` by counts times ns per event, for each version of CPython that
is here; and what of it is for what."""
import mmap
import os
import statistics
import tempfile

import benchlib as bench
from benchlib import HERE, Program, bpf_statistics, live, table
from caller import Caller
from counted import trap_costs

VERSIONS = ('pyenv-3.8*', 'pyenv-3.10*', 'pyenv-3.11*', 'pyenv-3.12*', 'pyenv-3.13*', 'forky-3.14',
            'forky-3.15')
RUNS = 3
LIMIT_NS = 3500        # entry and exit
CALLS = 150049         # of a round of calls.py
DEPTH, LADDERS = 24, 200  # as deep as calls.py

# Down the ladder when the first byte of the memory is 0, up again when it is 1: nothing but entries,
# nothing but exits; the second byte says where it is. It waits at work, for what is in the caches is to
# stay there.
LADDER = '''
import mmap, os
shared = mmap.mmap(%d, 4096)
def down(n):
    if n > 1:
        down(n - 1)
    else:
        shared[1] = 1
        while shared[0] == 0:
            pass
os.read(0, 1)
while shared[0] < 2:
    down(%d)
    shared[1] = 0
    while shared[0] == 1:
        pass
'''

# What a run is for; options; whether hits are only counted.
COUNT = 'which process, counting the hit'
STACK = 'thread, frame, code object, shadow stack'
SUMS = 'sums of the function in the thread'
ALL = 'all of a plain `calls`'
STEPS = ((COUNT, (), True), (STACK, ('--depth', '1'), False), (ALL, (), False))
OPTIONS = (('`--include` of a glob', ('--include', '*fib*')),
           ('`--include` of 8 globs', tuple(w for i in range(7) for w in ('--include', 'no%d*' % i))
            + ('--include', '*fib*')),
           ('`--exclude` of it', ('--exclude', '*fib*')),
           ('`--time`', ('--time',)),
           ('`--log`', ('--log', None)),
           ('`--log --threshold 0`', ('--log', None, '--threshold', '0')))


def source(python):
    """calls.py, for an interpreter that may have a root of its own."""
    with open(os.path.join(HERE, 'calls.py')) as f:
        return python.command('-c', f.read(), '1')


class Run:
    """One round of calls.py under `calls`."""

    def __init__(self, python, options, only_count=False, statistics=True):
        with tempfile.TemporaryDirectory(prefix='pmt-bench-') as logs, \
                Program(source(python)) as p:
            p.wait_blocked(bench.READ)
            with Caller(p.pid, *(logs if o is None else o for o in options)) as tool:
                if only_count:
                    tool.only_count()
                program = tool.program()
                with bpf_statistics() if statistics else open(os.devnull):
                    runs, ns = bench.bpf_account(program)
                    p.go()
                    self.cpu = p.figures()[0]
                    more_runs, more_ns = bench.bpf_account(program)
                self.runs, self.ns = more_runs - runs, more_ns - ns
                self.doc = tool.table()
        assert sum(self.doc['losses'].values()) == 0 or '--threshold' in options, self.doc['losses']

    def each(self, empty):
        """ns in BPF of a hit."""
        return self.ns / self.runs - empty


def median(python, options, empty, only_count=False):
    return statistics.median(Run(python, options, only_count).each(empty) for _ in range(RUNS))


def bare(python):
    def once():
        with Program(source(python)) as p:
            p.go()
            return p.figures()[0]
    return min(once() for _ in range(RUNS))


def ladder(python, empty):
    """(ns in BPF of an entry, of an exit), each by themselves."""
    found = ([], [])
    fd = os.memfd_create('ladder')
    os.truncate(fd, mmap.PAGESIZE)
    with mmap.mmap(fd, mmap.PAGESIZE) as shared, bpf_statistics(), \
            Program(python.command('-c', LADDER % (fd, DEPTH)), pass_fds=(fd,)) as p:
        p.wait_blocked(bench.READ)
        with Caller(p.pid) as tool:
            program = tool.program()
            account = bench.bpf_account(program)
            p.go()
            for _ in range(LADDERS):
                for place, to in ((1, found[0]), (0, found[1])):
                    live.wait_until(lambda: shared[1] == place, 'the ladder')
                    before, account = account, bench.bpf_account(program)
                    runs, ns = (b - a for a, b in zip(before, account))
                    assert runs == DEPTH, '%d hits for %d calls' % (runs, DEPTH)
                    to.append(ns / runs - empty)
                    shared[0] = place
            shared[0] = 2
            tool.table()
    os.close(fd)
    return tuple(statistics.median(f) for f in found)


def version_row(python, traps):
    """Cells, and entry and exit in ns."""
    empty = traps['empty']
    both = [Run(python, ()) for _ in range(RUNS)]
    site = {s['name']: s['instruction'] for s in both[0].doc['sites']}
    ns = 2 * traps['push'] + 2 * statistics.median(r.each(empty) for r in both)
    entries = Run(python, ('--no-exits',)).each(empty) + traps['push']
    cpu = min(Run(python, (), statistics=False).cpu for _ in range(RUNS)) - bare(python)
    assert both[0].runs >= 2 * CALLS, '%d hits for %d calls' % (both[0].runs, CALLS)
    down, up = ladder(python, empty)
    return [python.version, ', '.join(sorted(set(site.values()))), '%.0f' % (2 * traps['push']),
            '%.0f' % down, '%.0f' % up, '%.0f' % (ns - 2 * traps['push']), '%.2f' % (ns / 1e3),
            '%.2f' % (cpu / CALLS * 1e6), '%.2f' % (entries / 1e3)], ns


def versions(traps):
    rows = [['CPython', 'probes at', 'two traps', 'an entry', 'an exit', 'both in calls.py',
             'entry and exit, µs', 'by CPU time, µs', '`--no-exits`, µs', 'under %.1f µs'
             % (LIMIT_NS / 1e3)]]
    kept = True
    for name in VERSIONS:
        python = bench.interpreter(name)
        if not python:
            continue
        bench.info('an entry and an exit, %s' % python)
        cells, ns = version_row(python, traps)
        kept &= ns <= LIMIT_NS
        rows.append(cells + [bench.verdict(ns <= LIMIT_NS)])
    text = ('### An entry and an exit by counts × ns\n\n'
            'ns. A probe costs its trap (a C loop: %.0f ns where the kernel emulates the instruction, '
            'as it does everywhere here) and the run time of its BPF program, which the kernel '
            'measures; the %.0f ns of an empty program are taken off. Entries and exits by '
            'themselves: down and up a ladder of %d calls, medians of %d times. Both: calls.py, %s calls, '
            'medians of %d; and beside it what its CPU time says: that of the run less that of the '
            'bare one, by call. `--no-exits` learns at each entry what has ended.\n\n'
            % (traps['push'], traps['empty'], DEPTH, LADDERS, format(CALLS, ','), RUNS))
    return text + table(*rows) + '\n', kept


def split(python, traps):
    empty = traps['empty']
    bench.info('what of an entry and an exit is for what, %s' % python)
    ns = {name: median(python, options, empty, only_count)
          for name, options, only_count in STEPS}
    rows = [('', 'ns an event'),
            ('the trap', '%.0f' % traps['push']),
            (COUNT, '%.0f' % ns[COUNT]),
            (STACK, '%.0f' % (ns[STACK] - ns[COUNT])),
            (SUMS, '%.0f' % (ns[ALL] - ns[STACK])),
            (ALL, '**%.0f**' % (traps['push'] + ns[ALL]))]
    for name, options in OPTIONS:
        rows.append(('with ' + name, '%+.0f' % (median(python, options, empty) - ns[ALL])))
    return ns, ('### What of it is for what\n\n'
                'The mean of entries and exits in calls.py, %s: what the tool does less or more '
                'with options that leave a step out or add one, medians of %d. Filters are decided '
                'once for each code object.\n\n' % (python, RUNS) + table(*rows) + '\n')


# What 3.12 takes, by bpf/calls.bpf.c: (reads of the process's memory, look-ups in hash maps). Entry: which
# frame is the current one, that frame, its code object; exit: the frame, its instruction.
ENTRY, EXIT = (3, 6), (2, 4)


def outlook(ns, traps):
    reads, lookups = (a + b for a, b in zip(ENTRY, EXIT))
    bpf = 2 * ns[ALL]
    traps_ns = 2 * traps['push']
    read_ns, lookup_ns = reads * traps['read'], lookups * traps['lookup']
    rest = bpf - read_ns - lookup_ns
    frame = traps['read']
    sums = traps['lookup']
    shadow = 3 * traps['lookup']
    left = traps_ns + bpf - frame - sums - shadow
    return (
        '### How near the two traps it is\n\n'
        'An entry and an exit are %.2f µs, of which the two traps are %.2f. Of the %.0f ns above '
        'them in 3.12, %d reads of the process\'s memory take %.0f (%.0f each here, whatever their '
        'length, so each is as long as is of use) and %d look-ups %.0f (%.0f each); %.0f are the '
        'work itself. What could still go, one after the other: the read that says which frame is '
        'entered, were the register known that holds it at the site (%.0f ns); the look-up of '
        'the sums at the entry, were calls counted when they end (%.0f); the look-ups of the shadow '
        'stack, were its innermost call kept with the thread (%.0f). That would leave %.2f µs, and '
        'the least that identifies a call, its frame and its code object, is in that. Under the two '
        'traps it cannot come but by fewer traps: `--no-exits` has one, and pays for it in BPF with '
        'what it must find out at the next entry.\n'
        % ((traps_ns + bpf) / 1e3, traps_ns / 1e3, bpf, reads, read_ns, traps['read'], lookups,
           lookup_ns, traps['lookup'], rest, frame, sums, shadow, left / 1e3))


def report(python, trapcost):
    """Markdown, and whether the limit was kept."""
    traps = trap_costs(trapcost)
    text, kept = versions(traps)
    ns, more = split(python, traps)
    return text + more + outlook(ns, traps), kept
