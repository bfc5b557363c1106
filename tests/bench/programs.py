# SPDX-License-Identifier: MIT
"""What watching costs programs: the CPU they use beside what they use alone, tool by tool."""
import os
import signal
import statistics
import tempfile

import benchlib as bench
import counted
from benchlib import HERE, Program, spread, table, tool_of

ROUNDS = 5
MODES = ('bare', 'bare again', 'stat', 'record', 'record --exact', 'tracemalloc', 'memray',
         'pymemtrace')
RUN_SECONDS = 0.5    # of CPU: loops are chosen so that the bare program takes about that
SLOW_SECONDS = 1.5   # a slow tool gets fewer loops, so that it takes no more than about that

# Ours, and what they do; pyperformance's, and the arguments of its workload.
OWN = (('alloc.py', 'builds and drops records, JSON and texts'),
       ('calls.py', 'only calls'))
PYPERFORMANCE = (('json_dumps',), ('json_loads',), ('deltablue',), ('pyflate',), ('raytrace',),
                 ('regex_compile',), ('async_tree', 'none'), ('django_template',))


class Workload:
    """A program that waits on stdin, works so many loops, and says what CPU they took."""

    def __init__(self, python, venv, words):
        self.venv, self.name = venv, words[0]
        if words[0].endswith('.py'):
            self.python = python.command()
            self.before, self.after = [os.path.join(HERE, words[0])], []
        else:
            self.python = [venv.python]
            self.before = [os.path.join(HERE, 'pyperf_program.py'), words[0]]
            self.after = list(words[1:])
        self.loops = {}

    def command(self, mode, loops, scratch):
        program = self.before + [str(loops)] + self.after
        if mode == 'tracemalloc':
            return self.python + ['-X', 'tracemalloc'] + program
        if mode == 'memray':
            return [self.venv.python, '-m', 'memray', 'run', '-q', '-f', '-o',
                    os.path.join(scratch, 'memray.bin')] + program
        if mode == 'pymemtrace':
            return [self.venv.python, os.path.join(HERE, 'under_hook.py'), 'Profile',
                    os.path.join(scratch, 'pymemtrace.log')] + program
        return self.python + program

    def bare(self):
        return self.command('bare', self.loops['bare'], None)

    def calibrate(self, modes, scratch):
        """How many loops each mode runs."""
        loops = 1
        while True:  # the first loop has more to do than others: at least a few, if they are short
            cpu = run_once(self.command('bare', loops, scratch), 'bare')
            if cpu > RUN_SECONDS / 4:
                break
            loops *= max(2, min(100, int(RUN_SECONDS / 2 / max(cpu, 1e-4))))
        bare = max(1, round(loops * RUN_SECONDS / cpu))
        self.loops = {mode: bare for mode in modes}
        for mode in ('tracemalloc', 'memray', 'pymemtrace'):
            if mode not in modes:
                continue
            few = max(1, bare // 50)
            cpu = run_once(self.command(mode, few, scratch), mode)
            self.loops[mode] = min(bare, max(1, round(few * SLOW_SECONDS / cpu)))


def run_once(argv, mode):
    """CPU seconds of the measured part."""
    with Program(argv) as p:
        tool = tool_of(mode, p.pid)
        if not tool:
            p.go()
            return p.figures()[0]
        p.wait_blocked(bench.READ)
        with tool:
            p.go()
            cpu = p.figures()[0]
            tool.end(signal.SIGINT).ok()
        return cpu


def ratios(workload, missing):
    """{mode: [ratio to bare of each round]}, and the bare program's CPU seconds; modes take turns,
    in an order that turns too."""
    modes = [mode for mode in MODES if mode not in missing]
    found, bare = {mode: [] for mode in modes}, []
    with tempfile.TemporaryDirectory(prefix='pmt-bench-') as scratch:
        workload.calibrate(modes, scratch)
        for number in range(ROUNDS):
            cost = {}
            turn = number * 3 % len(modes)
            for mode in modes[turn:] + modes[:turn]:
                loops = workload.loops[mode]
                cost[mode] = run_once(workload.command(mode, loops, scratch), mode) / loops
            bare.append(cost['bare'] * workload.loops['bare'])
            for mode in modes:
                found[mode].append(cost[mode] / cost['bare'])
    return found, statistics.median(bare)


def label(mode, venv):
    return {'bare': 'bare', 'bare again': 'bare again (A/A: the noise)', 'stat': '`stat`',
            'record': '`record`', 'record --exact': '`record --exact`',
            'tracemalloc': 'tracemalloc', 'memray': 'memray ' + venv.versions.get('memray', ''),
            'pymemtrace': 'pymemtrace %s, Profile' % venv.versions.get('pymemtrace', '')}[mode]


def report(python, venv, trapcost):
    """Markdown, and whether the promises were kept."""
    traps = counted.trap_costs(trapcost)
    named = [(name,) for name, _ in OWN]
    if 'pyperformance' not in venv.missing:
        named += PYPERFORMANCE
    head = ['program', 'bare, ms'] + [label(m, venv) for m in MODES[1:]]
    rows, accounts = [head], []
    for words in named:
        w = Workload(python, venv, words)
        bench.info('%s: %d rounds of %d modes' % (w.name, ROUNDS, len(MODES)))
        found, bare = ratios(w, venv.missing)
        rows.append([w.name, '%.0f' % (bare * 1e3)]
                    + [spread(found[m]) if m in found else '–' for m in MODES[1:]])
        accounts.append((w.name, bare, {mode: counted.count(w.bare(), mode, python, traps)
                                        for mode in counted.PROMISES}))
    text = ('## CPU of a program while it is watched\n\n'
            'CPU time of the program\'s measured part over that of the bare program of the same '
            'round: median (least–most) of %d rounds in which the tools take turns. %s. '
            '%s. The others are programs of pyperformance %s, a fixed number of loops in one '
            'process, from the moment they have been imported.\n\n'
            % (ROUNDS, python, '; '.join('%s %s' % o for o in OWN),
               venv.versions.get('pyperformance', '(not here: %s)'
                                 % venv.missing.get('pyperformance', ''))))
    text += table(*rows)
    text += ''.join('\nNot here: %s (%s).\n' % (label(m, venv).strip(), venv.missing[m])
                    for m in MODES if m in venv.missing)
    more, kept = counted.report(accounts, traps)
    return text + '\n' + more, kept
