# SPDX-License-Identifier: MIT
"""A target: python3 -c SOURCE HOW PROGRAM..., on any CPython from 3.6. PROGRAMs are the texts of
calls.py, yields.py: they define STEPS, which it runs once to warm up, then once between two pauses.

HOW is `not` (`alone`: twice, without a pause), or what counts it: `profile` (sys.setprofile),
`monitoring` (sys.monitoring, since 3.12).
Then it tells on stderr, as JSON, a row for each function, by the file's name, qualified name (since
3.11) and first line:

    [["PROGRAM-0", "catches", 48, {"calls": 100, "resumes": 0, "throws": 0, ...}], ...]

`throws` are entries by throw() and close(); until 3.10 they are among the resumes, as no one can tell.
"""
import gc
import json
import opcode
import os
import signal
import sys
import threading

KINDS = ('calls', 'resumes', 'throws', 'returns', 'yields', 'unwinds')
COUNTS = {}
NAMES = opcode.opname


def count(code, kind):
    key = code.co_filename, getattr(code, 'co_qualname', code.co_name), code.co_firstlineno
    row = COUNTS.get(key)
    if row is None:
        row = COUNTS[key] = dict.fromkeys(KINDS, 0)
    row[kind] += 1


def operation(code, at):
    raw = code.co_code
    return (NAMES[raw[at]], raw[at + 1]) if 0 <= at < len(raw) else ('', 0)


def entry(code, at):
    if sys.version_info < (3, 11):
        return 'calls' if at < 0 else 'resumes'
    name, argument = operation(code, at)
    return 'throws' if name != 'RESUME' else 'resumes' if argument & 3 else 'calls'


def end(code, at, value):
    """An exception has None for its value, and is where it was raised."""
    name = operation(code, at)[0]  # an unstarted generator's is RETURN_GENERATOR since 3.11
    # until 3.10 f_lasti of a frame that delegates stands before the instruction, to be run again; in
    # 3.13 that of a frame that yields is behind it
    yields = name in ('YIELD_VALUE', 'RESUME') or operation(code, at + 2)[0] == 'YIELD_FROM'
    if value is None:
        return 'returns' if name in ('RETURN_VALUE', 'RETURN_CONST') else 'unwinds'
    return 'yields' if yields else 'returns'


def hook(frame, event, value):
    if event == 'call':
        count(frame.f_code, entry(frame.f_code, frame.f_lasti))
    elif event == 'return':
        count(frame.f_code, end(frame.f_code, frame.f_lasti, value))


def profiled(run):
    threading.setprofile(hook)
    sys.setprofile(hook)
    run()
    sys.setprofile(None)
    threading.setprofile(None)


EVENTS = {'PY_START': 'calls', 'PY_RESUME': 'resumes', 'PY_THROW': 'throws', 'PY_RETURN': 'returns',
          'PY_YIELD': 'yields', 'PY_UNWIND': 'unwinds'}


def monitored(run):
    monitoring = sys.monitoring
    tool, events = monitoring.PROFILER_ID, 0
    monitoring.use_tool_id(tool, 'counted')
    for name, kind in EVENTS.items():
        event = getattr(monitoring.events, name)
        monitoring.register_callback(tool, event,
                                     lambda code, *more, kind=kind: count(code, kind))
        events |= event
    monitoring.set_events(tool, events)
    run()
    monitoring.set_events(tool, 0)


def main(how, *programs):
    space = {'__name__': 'program'}
    for i, text in enumerate(programs):
        exec(compile(text, 'PROGRAM-%d' % i, 'exec'), space)

    def run():
        for step in space['STEPS']:
            step()
    signal.signal(signal.SIGUSR1, lambda number, frame: None)
    gc.collect()
    gc.disable()  # it would run, and call, where memory says
    run()
    if how == 'alone':
        return run()
    signal.pause()
    {'not': lambda run: run(), 'profile': profiled, 'monitoring': monitored}[how](run)
    told = [list(key) + [row] for key, row in sorted(COUNTS.items())]
    os.write(2, (json.dumps(told) + '\n').encode())
    signal.pause()


main(*sys.argv[1:])
