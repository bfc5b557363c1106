# SPDX-License-Identifier: MIT
"""How far sampled figures are from the truth, over many recordings, and whether the error that is
printed with them says so: programs whose functions touch known numbers of pages."""
import json
import math
import statistics
import sys

import benchlib as bench
from benchlib import Program, Recorder, table

RECORDINGS = 100
ROUNDS = 700
NEAR_SHARE, NEAR_BYTES = 0.10, 1 << 20  # what a figure should be within, whichever is larger
MIX_FUNCTIONS, MIX_PAGES, MIX_PIECE = 24, 64000, 24

# Each line of stdin names a program: "PAGES PAGES...": functions f0, f1, ... that touch so many pages
# in turn; or "mix SEED": they take turns by chance, with pieces of chance, some often, some rarely.
SOURCE = '''
import json, mmap, random, sys

def define(name):
    exec("def %%s(m, at, pages):\\n"
         "    for k in range(at * 4096, (at + pages) * 4096, 4096):\\n"
         "        m[k] = 1\\n" %% name, globals())
    return globals()[name]

functions = [define("f%%d" %% i) for i in range(%(functions)d)]

def pieces(words):
    if words[0] != "mix":
        return [(i, int(n)) for _ in range(%(rounds)d) for i, n in enumerate(words)]
    chance, found, left = random.Random(words[1]), [], %(pages)d
    weights = [0.8 ** i for i in range(len(functions))]
    while left > 0:
        i, n = chance.choices(range(len(functions)), weights)[0], chance.randint(1, %(piece)d)
        found.append((i, n))
        left -= n
    return found

for line in sys.stdin:
    todo, truth, at = pieces(line.split()), {}, 0
    m = mmap.mmap(-1, sum(n for _, n in todo) * 4096)
    print("READY", flush=True)
    sys.stdin.readline()
    for i, n in todo:
        functions[i](m, at, n)
        at += n
    for i, n in todo:
        truth["f%%d" %% i] = truth.get("f%%d" %% i, 0) + n * 4096
    print(json.dumps(truth), flush=True)
    sys.stdin.readline()
    m.close()
''' % {'functions': MIX_FUNCTIONS, 'rounds': ROUNDS, 'pages': MIX_PAGES, 'piece': MIX_PIECE}


class Figure:
    """One function in one recording, in bytes."""

    def __init__(self, truth, found, error):
        self.truth, self.off, self.error = truth, found - truth, error

    def within(self, sigmas):
        return abs(self.off) <= sigmas * self.error

    def near(self):
        return abs(self.off) <= max(NEAR_SHARE * self.truth, NEAR_BYTES)


def say(p, line):
    p.process.stdin.write(line.encode() + b'\n')
    p.process.stdin.flush()


def record(p, line):
    """{function: Figure}"""
    say(p, line)
    assert p.process.stdout.readline() == b'READY\n'
    with Recorder(p.pid, '--event', 'rss') as tool:
        p.go()
        truth = json.loads(p.process.stdout.readline())
        profile = tool.profile()
    p.go()
    found = {f['function']: f for f in profile['functions']}
    step = profile['step_pages'] * profile['page_bytes']
    none = {'total_bytes': 0, 'total_events': 0}
    figures = {}
    for name, pages in truth.items():
        f = found.get(name, none)
        # what is printed with self figures, for the function and what it calls
        figures[name] = Figure(pages, f['total_bytes'], math.sqrt(f['total_events']) * step)
    return figures


def share(figures, test):
    return '%.0f %%' % (100 * sum(map(test, figures)) / len(figures))


def row(name, figures):
    mib = 1 << 20
    offs = [f.off / mib for f in figures]
    return [name, '%.1f' % (statistics.mean(f.truth for f in figures) / mib),
            '%+.2f' % statistics.mean(offs),
            '%.2f' % math.sqrt(statistics.mean(o * o for o in offs)),
            '%.2f' % (statistics.mean(f.error for f in figures) / mib),
            '%.2f' % max(map(abs, offs)), share(figures, lambda f: f.within(1)),
            share(figures, lambda f: f.within(2)), share(figures, Figure.near)]


def classes(figures):
    """Those of the mix, by size."""
    limits = (0, 1 << 20, 4 << 20, 16 << 20, sys.maxsize)
    names = ('under 1 MiB', '1–4 MiB', '4–16 MiB', 'over 16 MiB')
    for name, least, most in zip(names, limits, limits[1:]):
        some = [f for f in figures if least <= f.truth < most]
        if some:
            yield 'mix, %s (%d)' % (name, len(some)), some


def report(python):
    rows = [('function', 'truth, MiB', 'mean off', 'standard deviation', 'printed ±',
             'most off', 'within ±', 'within 2 ±', 'within 10 % or 1 MiB')]
    honest = True
    with Program(python.command('-c', SOURCE)) as p:
        for words in ('10 22', '1 31', '16 16'):
            bench.info('%d recordings of %s pages in turn' % (RECORDINGS, words))
            runs = [record(p, words) for _ in range(RECORDINGS)]
            for i, pages in enumerate(words.split()):
                figures = [run['f%d' % i] for run in runs]
                rows.append(row('%s of %s pages' % (pages, words.replace(' ', '/')), figures))
                honest &= is_honest(figures)
        bench.info('%d recordings of a mix' % RECORDINGS)
        mix = [f for n in range(RECORDINGS) for f in record(p, 'mix %d' % n).values()]
    rows += [row(name, figures) for name, figures in classes(mix)]
    honest &= is_honest(mix)
    text = ('## Sampled figures and their error\n\n'
            '%d recordings each of programs whose growth is known by construction: two functions that '
            'touch pages in turn, %d rounds; and %d functions in an order of chance that touch 1 to '
            '%d pages at a time, some often, some rarely, %d MiB in all. MiB. "±" is what is printed '
            'with a figure: the root of its samples, times the %d KiB that each stands for. It is '
            'meant as one standard error: it should hold in at least 68 %%, twice of it in 95 %% of '
            'recordings. That holds: %s.\n\n'
            % (RECORDINGS, ROUNDS, MIX_FUNCTIONS, MIX_PIECE, MIX_PAGES // 256, 128,
               bench.verdict(honest)))
    return text + table(*rows) + '\n', honest


def is_honest(figures):
    """Less than the promise only by as much as chance allows (two standard errors of a share)."""
    for sigmas, promise in ((1, 0.68), (2, 0.95)):
        got = sum(f.within(sigmas) for f in figures) / len(figures)
        if got < promise - 2 * math.sqrt(promise * (1 - promise) / len(figures)):
            return False
    return True
