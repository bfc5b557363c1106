# SPDX-License-Identifier: MIT
"""What `record` itself takes while it records a busy program: CPU, memory, its file; and how long it
takes to attach."""
import json
import os
import re
import signal
import subprocess

import benchlib as bench
from benchlib import Program, Recorder, live, spread, table

SECONDS, ATTACHES = 60, 9
# CPython's own tests, over and over: thousands of functions
TESTS = ('test_typing', 'test_dataclasses', 'test_enum', 'test_collections', 'test_re', 'test_json',
         'test_inspect', 'test_argparse', 'test_configparser', 'test_email', 'test_ast')
SOURCE = '''
import os, sys, unittest
quiet = open(os.devnull, 'w')
while True:
    for name in sys.argv[1:]:
        print(name, flush=True)
        suite = unittest.defaultTestLoader.loadTestsFromName('test.' + name)
        unittest.TextTestRunner(quiet, verbosity=0).run(suite)
'''


def attach(python):
    found = []
    with Program(python.command('-c', 'import signal; signal.pause()')) as p:
        p.wait_blocked(bench.PAUSE)
        for _ in range(ATTACHES):
            with Recorder(p.pid) as tool:
                found.append(tool.attach_ms)
                tool.profile()
    return found


def measure(python, folder, *mode):
    path = os.path.join(folder, 'busy.pmt')
    with Program(python.command('-c', SOURCE, *TESTS), cwd=folder) as p:
        p.process.stdout.readline()
        with Recorder(p.pid, '-o', path, '-f', *mode) as tool:
            cpu, target = bench.cpu_seconds(tool.pid), bench.cpu_seconds(p.pid)
            idle_until(SECONDS)
            cpu, target = bench.cpu_seconds(tool.pid) - cpu, bench.cpu_seconds(p.pid) - target
            memory = int(re.search(rb'^VmHWM:\s*(\d+)', live.proc(tool.pid, 'status'),
                                   re.M).group(1)) / 1024
            tool.end(signal.SIGINT).ok()
        assert p.process.poll() is None, 'the tests ended'
    profile = json.loads(live.run('report', path, '--format', 'json').ok().out)
    return {'cpu': cpu, 'target': target, 'memory': memory, 'size': os.path.getsize(path),
            'profile': profile}


def idle_until(seconds):
    signal.sigtimedwait([], seconds)  # what is measured is a minute of the program


def lost(profile):
    """What was not put down to a stack though one ran, in % of all that was seen."""
    rss = profile['attribution']['rss']
    bad = sum(rss['causes'][c][d + '_bytes'] for d in ('growth', 'shrink')
              for c in ('walk_failed', 'table_full', 'record_lost'))
    seen = sum(rss['attributed'][d + '_bytes'] for d in ('growth', 'shrink')) + bad
    return 100 * bad / seen if seen else 0


def report(python):
    if subprocess.run(python.command('-c', 'import test.test_json'),
                      stderr=subprocess.DEVNULL).returncode:
        return 'Not measured: what record takes; %s has no tests.\n' % python, True
    rows = [['', '`record`', '`record --exact`']]
    found = []
    with live.scratch() as folder:
        for mode in ((), ('--exact',)):
            bench.info('record %s of a busy program, %d s' % (' '.join(mode), SECONDS))
            found.append(measure(python, folder, *mode))
    for name, cell in (
            ('CPU of the program, s', lambda m: '%.1f' % m['target']),
            ('CPU of the tool, s', lambda m: '%.2f' % m['cpu']),
            ('peak memory of the tool, MiB', lambda m: '%.0f' % m['memory']),
            ('its file after a minute, KiB', lambda m: format(m['size'] // 1024, ',')),
            ('events looked at', lambda m: format(
                m['profile']['attribution']['rss']['attributed']['events'], ',')),
            ('stacks', lambda m: format(len(m['profile']['stacks']), ',')),
            ('functions', lambda m: format(len(m['profile']['function_names']), ',')),
            ('bytes whose stack was lost', lambda m: '%.3f %%' % lost(m['profile']))):
        rows.append([name] + [cell(m) for m in found])
    text = ('## What `record` itself takes\n\n'
            'A minute of CPython\'s own tests (%s) by %s.\n\n' % (', '.join(TESTS), python))
    text += table(*rows)
    text += ('\nFrom its start to when it follows the stacks of an idle process: %s ms, median '
             '(least–most) of %d.\n' % (spread(attach(python), '%.0f'), ATTACHES))
    return text, True
