# SPDX-License-Identifier: MIT
"""What it costs to walk a stack, by its depth: changes of RSS, each looked at, at the bottom of a
recursion, for each version of CPython that is here."""
import statistics

import benchlib as bench
from benchlib import Program, Recorder, bpf_statistics, table

VERSIONS = ('pyenv-3.8*', 'pyenv-3.9*', 'pyenv-3.10*', 'pyenv-3.11*', 'pyenv-3.12*', 'pyenv-3.13*',
            'forky-3.14', 'forky-3.15')
DEPTHS = (2, 10, 50, 120)
PAGES, RUNS = 4000, 5
STEP = 32  # pages; one of them is looked at
USUAL_DEPTH = 30

# Each frame is of another function; a file has ten of them.
SOURCE = '''
import mmap, sys
depth, pages = %d, %d
def touch():
    while sys.stdin.readline():
        with mmap.mmap(-1, pages * 4096) as m:
            for at in range(0, pages * 4096, 4096):
                m[at] = 1
            print('FIGURES 0 0', flush=True)
            sys.stdin.readline()
        print('FIGURES 0 0', flush=True)
chain = touch
for first in range(0, depth - 2, 10):
    names = ['chain'] + ['function_%%d' %% i for i in range(first, min(first + 10, depth - 2))]
    space = {'chain': chain}
    exec(compile('\\n'.join('def %%s():\\n    kept = 1\\n    return %%s()\\n' %% (name, callee)
                           for callee, name in zip(names, names[1:])),
                 '/srv/application/package/module_%%d.py' %% first, 'exec'), space)
    chain = space[names[-1]]
chain()
'''


def price(python, depth, *mode):
    """ns in BPF of each change of RSS: the median of the runs in which others did least."""
    found = []
    with Program(python.command('-c', SOURCE % (depth, PAGES))) as p, bpf_statistics():
        p.wait_blocked(bench.READ)
        with Recorder(p.pid, '--event', 'rss', *mode) as tool:
            for _ in range(RUNS + 1):
                runs, ns = bench.bpf_accounts(tool.pid)['on_rss_stat']
                events = bench.rss_events(tool.pid, p.pid)
                p.go()
                p.figures()
                more_runs, more_ns = bench.bpf_accounts(tool.pid)['on_rss_stat']
                events = bench.rss_events(tool.pid, p.pid) - events
                p.go()
                p.figures()
                assert PAGES <= events, '%d changes of RSS for %d pages' % (events, PAGES)
                others = more_runs - runs - events
                found.append((others, (more_ns - ns - others * OTHER_NS) / events))
            profile = tool.profile()
    check(profile, depth, mode)
    quiet = sorted(found[1:])[:(RUNS + 1) // 2]  # the first announced the stacks
    return statistics.median(ns for _, ns in quiet)


OTHER_NS = 100  # about what a change of another process's RSS costs: one look-up, and the clock


def check(profile, depth, mode):
    """That it was this depth whose price was found."""
    if not mode:
        return
    most = max(profile['rows'], key=lambda row: row['growth_bytes'])
    frames = [profile['function_names'][f]['kind']
              for f, _ in profile['stacks'][most['stack']]['frames']]
    assert frames.count('python') == depth, '%d frames for %d' % (len(frames), depth)


def fit(points):
    """Least squares: (what each frame adds, what is there without one)."""
    return statistics.linear_regression(*zip(*points))


def report():
    rows = [['CPython', 'sampled, %d frames' % DEPTHS[-1]] + ['%d frames' % d for d in DEPTHS]
            + ['that is', 'MiB a second for 4 %']]
    for name in VERSIONS:
        python = bench.interpreter(name)
        if not python:
            continue
        bench.info('a walk, %s' % python)
        ns = [price(python, depth, '--exact') for depth in DEPTHS]
        slope, base = fit(list(zip(DEPTHS, ns)))
        sampled = price(python, DEPTHS[-1])
        # what is left of a sampled change without its share of a walk
        alone = (STEP * sampled - ns[-1]) / (STEP - 1)
        usual = alone + (base + slope * USUAL_DEPTH - alone) / STEP
        rows.append([python.version, '%.0f' % sampled] + ['%.0f' % n for n in ns]
                    + ['%.0f + %.0f a frame' % (base, slope),
                       '%.0f' % (0.04e9 / usual / 256)])
    text = ('## A walk of the stack\n\n'
            'ns in BPF of a change of RSS by one page: where one in 32 is looked at, and by depth of '
            'the stack where each is (`record --exact`). All of it is in these figures, the 53 ns or '
            'so of the clock too. One stack over and over: the caches know it. Medians of %d times '
            '%s pages. The last column: how fast a thread must touch memory, %d frames deep, until '
            'sampling takes 4 %% of its time.\n\n' % (RUNS, format(PAGES, ','), USUAL_DEPTH))
    return text + table(*rows) + '\n', True
