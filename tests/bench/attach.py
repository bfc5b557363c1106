# SPDX-License-Identifier: MIT
"""How long `stat` takes to attach and to detach, alone and where many processes map the file."""
import contextlib
import json
import os
import signal
import time

import benchlib as bench
from benchlib import Program, live, spread, table

ROUNDS = 9
MANY = 40
ATTACH_MS, DETACH_MS = 300, 200
SOURCE = 'import signal; signal.pause()'


def once(pids):
    """(ms to the state line, ms from Ctrl-C to the end)"""
    with live.Tool('-p', ','.join(map(str, pids))) as tool:
        tool.until(r'^\d\d:\d\d:\d\d ')
        attach = time.monotonic() - tool.started
        start = time.monotonic()
        os.kill(tool.pid, signal.SIGINT)
        while tool.line() is not None:
            pass
        tool.process.wait()
        return attach * 1e3, (time.monotonic() - start) * 1e3


def kind():
    doc = json.loads(live.run('doctor', '--format', 'json').out)
    return {r['name']: r['available'] for r in doc['features']}.get('uprobe_multi')


def report(python):
    """Markdown, and whether the promises were kept."""
    bench.info('attach and detach, %s' % python)
    multi = kind()
    rows = [('processes of the file', 'watched', 'attach to the first line, ms', 'detach, ms')]
    kept = True
    with contextlib.ExitStack() as stack:
        programs = []
        for count, watched in ((1, 1), (MANY, 1), (MANY, MANY)):
            while len(programs) < count:
                programs.append(stack.enter_context(Program(python.command('-c', SOURCE))))
                programs[-1].wait_blocked(bench.PAUSE)
            times = [once([p.pid for p in programs[:watched]]) for _ in range(ROUNDS)]
            attach, detach = zip(*times)
            cells = [spread(attach, '%.0f'), spread(detach, '%.0f')]
            if watched == 1:
                for i, (ms, promise) in enumerate(((attach, ATTACH_MS), (detach, DETACH_MS))):
                    ok = sorted(ms)[len(ms) // 2] < promise
                    kept &= ok or not multi
                    cells[i] += ', under %d: %s' % (promise, bench.verdict(ok))
            rows.append([count, watched] + cells)
    text = ('## Attach and detach\n\n'
            '`stat` on %s by %s: from the start of the tool to its state line, and from Ctrl-C to its '
            'end (which prints the total). Median (least–most) of %d.\n\n'
            % (python, 'uprobe_multi' if multi else 'perf uprobes, without uprobe_multi', ROUNDS))
    return text + table(*rows) + '\n', kept
