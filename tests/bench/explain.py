# SPDX-License-Identifier: MIT
"""What `explain` costs, by what the process holds: pages, pools, chunks of malloc."""
import os
import re

import benchlib as bench
from benchlib import HERE, Program, live, spread, table
from snapshots import faults, memory, peak_memory, timed

ROUNDS = 5
SIZES = (0.1, 1, 4)
MOST_MEMORY = 64  # MiB
# promised ms of CPU for each GiB more; a pool has a header to read every 16 or 4 KiB
PROMISES = {'pages': 100, 'chunks': 400, 'pools of 16 KiB': 200, 'pools of 4 KiB': 500}

KINDS = (
    ('pages', 'anonymous pages', SIZES),
    ('pools', 'pymalloc, blocks of all classes', SIZES),
    ('chunks', 'malloc, chunks of 3 KB', SIZES),
    ('small', 'malloc, chunks of 64 bytes', (0.1, 0.5)),
)


def state(pid):
    """What reading could change. Shares in files change with whoever else maps them."""
    kernel = memory(pid)
    return faults(pid), {k: kernel[k] for k in ('Rss', 'Anonymous', 'Pss_Anon', 'Private_Dirty')}


def measure(python, kind, gib):
    with open(os.path.join(HERE, 'memory.py')) as f:
        source = f.read()
    with Program(python.command('-c', source, kind, str(gib))) as p:
        p.figures()
        number = int(re.match(rb'NUMBER (\d+)', p.process.stdout.readline()).group(1))
        p.wait_blocked(bench.PAUSE)
        before = state(p.pid)
        runs = [timed('explain', '-p', str(p.pid)) for _ in range(ROUNDS)]
        after = state(p.pid)
        peak = peak_memory(p.pid, 'explain')
    assert before == after, 'the process has changed: %s, %s' % (before, after)
    return {'rss': before[1]['Rss'] / (1 << 20), 'number': number, 'peak': peak,
            'cpu': [r[0] for r in runs], 'wall': [r[1] for r in runs]}


def median(values):
    return sorted(values)[len(values) // 2]


def per_gib(small, large):
    """ms of CPU for each GiB more."""
    return (median(large['cpu']) - median(small['cpu'])) / (large['rss'] - small['rss'])


def ns_per_one(small, large):
    if large is small:
        return ''
    ms = median(large['cpu']) - median(small['cpu'])
    return '%.0f' % (ms * 1e6 / (large['number'] - small['number']))


def report(pythons):
    """Markdown, and whether the promises were kept. pythons: [(python or None, what it stands for)]"""
    rows, kept, notes = [], True, []
    for python, stands_for in pythons:
        if not python:
            notes.append('Not measured: %s; no such interpreter here.' % stands_for)
            continue
        for kind, text, sizes in KINDS:
            if kind != 'pools' and python is not pythons[0][0]:
                continue
            figures = []
            for gib in sizes:
                bench.info('explain, %s GiB of %s, %s' % (gib, kind, python))
                figures.append(measure(python, kind, gib))
            ms = per_gib(figures[0], figures[-1])
            promise = PROMISES.get(stands_for if kind == 'pools' else kind)
            ok = not promise or ms <= promise
            kept &= ok and all(m['peak'] < MOST_MEMORY for m in figures)
            for m in figures:
                ns = ns_per_one(figures[0], m) if kind == 'small' else '–'
                rows.append((
                    '%s (%s)' % (text, stands_for if kind == 'pools' else python.version),
                    '%.2f' % m['rss'], spread(m['cpu'], '%.0f'), spread(m['wall'], '%.0f'),
                    '%.0f%s' % (ms, ' (promised %d: %s)' % (promise, bench.verdict(ok))
                                if promise else '') if m is figures[-1] else '',
                    ns, '%.1f' % m['peak']))
    text = ('## `explain`\n\n'
            'A process that stands still, median (least–most) of %d; ms per GiB: of CPU, from the '
            'smallest to the largest; its page faults, RSS and anonymous memory are the same before and after. '
            'Promised memory: under %d MiB.\n\n' % (ROUNDS, MOST_MEMORY))
    text += table(('what it holds', 'RSS, GiB', 'CPU, ms', 'wall, ms', 'CPU ms per GiB more',
                   'ns per chunk more', 'peak memory of the tool, MiB'), *rows)
    return text + ''.join('\n%s\n' % n for n in notes) + '\n', kept
