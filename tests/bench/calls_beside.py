# SPDX-License-Identifier: MIT
"""What `calls` costs programs beside other ways to see each call: hooks inside of them."""
import os
import shutil
import statistics
import tempfile

import benchlib as bench
from benchlib import HERE, Program, spread, table
from caller import Caller
from programs import Workload

ROUNDS = 3
SLOW_SECONDS = 0.6   # of CPU: what is slow gets fewer loops
TIMES_CHEAPER = 5    # than Profile, of the program that does nothing but call
CALLS = {'calls': (), 'calls --no-exits': ('--no-exits',), 'calls --log': ('--log', None)}
HOOKS = ('setprofile', 'Profile', 'Trace')
MODES = ('bare', 'bare again') + tuple(CALLS) + HOOKS
# The first does nothing but call.
PROGRAMS = (('calls.py',), ('deltablue',), ('django_template',), ('json_loads',))


class Watched(Workload):
    """A program under one of the modes."""

    def command(self, mode, loops, scratch):
        program = super().command('bare', loops, scratch)
        if mode not in HOOKS:
            return program
        # the interpreter of the virtual environment is the same one
        return [self.venv.python, os.path.join(HERE, 'under_hook.py'), mode,
                os.path.join(scratch, 'hook.log')] + program[len(self.python):]

    def calibrate(self, modes, scratch):
        super().calibrate(modes, scratch)
        for mode in modes:
            if mode in HOOKS or mode in CALLS:
                few = max(1, self.loops['bare'] // 100)
                cpu = self.run(mode, few, scratch)[0]
                self.loops[mode] = min(self.loops['bare'],
                                       max(1, round(few * SLOW_SECONDS / cpu)))

    def run(self, mode, loops, scratch):
        """CPU seconds of the measured part; and the table of `calls`, or None."""
        with Program(self.command(mode, loops, scratch)) as p:
            if mode not in CALLS:
                p.go()
                return p.figures()[0], None
            logs = os.path.join(scratch, 'logs')
            shutil.rmtree(logs, ignore_errors=True)
            p.wait_blocked(bench.READ)
            with Caller(p.pid, *(logs if a is None else a for a in CALLS[mode])) as tool:
                p.go()
                return p.figures()[0], tool.table()


class Found:
    """Of one program."""

    def __init__(self, name):
        self.name = name
        self.ratios = {}      # {mode: [to bare, of each round]}
        self.bare = []        # CPU seconds
        self.entries = []     # in each of the bare program's seconds
        self.losses = 0

    def median(self, mode):
        return statistics.median(self.ratios[mode])


def measure(words, python, venv, modes):
    w, found = Watched(python, venv, words), Found(words[0])
    found.ratios = {mode: [] for mode in modes}
    with tempfile.TemporaryDirectory(prefix='pmt-bench-') as scratch:
        w.calibrate(modes, scratch)
        for number in range(ROUNDS):
            cost = {}
            turn = number * 3 % len(modes)
            for mode in modes[turn:] + modes[:turn]:
                cpu, doc = w.run(mode, w.loops[mode], scratch)
                cost[mode] = cpu / w.loops[mode]
                if doc:
                    found.losses += sum(doc['losses'].values())
                if mode == 'calls':
                    entries = doc['entries'] / w.loops[mode]
            found.bare.append(cost['bare'] * w.loops['bare'])
            found.entries.append(entries / cost['bare'])
            for mode in modes:
                found.ratios[mode].append(cost[mode] / cost['bare'])
    return found


def label(mode, version):
    return {'bare again': 'bare again (A/A: the noise)', 'setprofile': '`sys.setprofile`, empty',
            'Profile': 'cPyMemTrace.Profile' + version,
            'Trace': 'cPyMemTrace.Trace' + version}.get(mode, '`%s`' % mode)


def report(python, venv):
    """Markdown, and whether the promise was kept."""
    here = [m for m in MODES if m not in ('Profile', 'Trace') or 'pymemtrace' not in venv.missing]
    version = ' ' + venv.versions.get('pymemtrace', '')
    rows = [['program', 'bare, ms', 'calls a second'] + [label(m, version) for m in here[1:]]]
    found = []
    for words in PROGRAMS:
        if words[0].endswith('.py') or 'pyperformance' not in venv.missing:
            bench.info('calls of %s: %d rounds of %d modes' % (words[0], ROUNDS, len(here)))
            found.append(measure(words, python, venv, here))
    for f in found:
        rows.append([f.name, '%.0f' % (statistics.median(f.bare) * 1e3),
                     format(round(statistics.median(f.entries), -3), ',.0f')]
                    + [spread(f.ratios[m]) for m in here[1:]])
    text = ('### Beside hooks inside the program\n\n'
            'CPU time of the program\'s measured part over that of the bare program of the same '
            'round: median (least–most) of %d rounds in which the modes take turns. %s. calls.py '
            'does nothing but call, the others are of pyperformance %s. All with their defaults: '
            '`--log` and cPyMemTrace write where RSS changed by a page. Lost by `calls`, of all '
            'that was to be counted: %d.\n\n'
            % (ROUNDS, python, venv.versions.get('pyperformance', '(not here)'),
               sum(f.losses for f in found)))
    text += table(*rows)
    if 'Profile' not in here:
        return text + '\nNot here: pymemtrace (%s).\n' % venv.missing['pymemtrace'], True
    ours, theirs = found[0].median('calls'), found[0].median('Profile')
    ok = theirs - 1 >= TIMES_CHEAPER * (ours - 1)
    return text + (
        '\nWhere there is nothing but calls, cPyMemTrace.Profile adds %.1f times what `calls` adds '
        '(%.0f and %.0f times the bare program; as ratios of the whole %.1f times). At least %d times: '
        '%s.\n' % ((theirs - 1) / (ours - 1), theirs - 1, ours - 1, theirs / ours, TIMES_CHEAPER,
                   bench.verdict(ok))), ok
