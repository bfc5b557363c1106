# SPDX-License-Identifier: MIT
"""A target: python3 -c SOURCE HOW PROGRAM FILE..., on any CPython from 3.6. PROGRAM is the text of
logged.py, which is run as the code of each FILE in turn, between begin() and end() and so that each
thread is one that only does that.

HOW is
  watched           reads stdin: for each `k` it makes a call, at `g` it runs the program and waits
  profile           runs it under sys.setprofile and tells on stderr, as JSON, what was seen, by
                    thread: [["main", [["CALL", "plain", FILE, 18, ""], ...]], ...]
  cpymemtrace DIR   runs it under pymemtrace's cPyMemTrace.Profile, whose logs go to DIR

The last of a row is how it came about: "", "throw" or "close" (entered by an exception), "unwind"
(left by one), "closed" (by that of close(), where it stood), "yield" (of `yield from` only since
3.11).
Nothing yields None: a hook could not tell that from an exception.
"""
import _thread
import gc
import json
import opcode
import os
import sys

FOUND = {}  # name of the thread: rows
ENTERING = []  # how a generator will be entered next
ENTERED = {}  # frame: how it was entered by an exception, and where it stood then


def operation(code, at):
    raw = code.co_code
    return opcode.opname[raw[at]] if 0 <= at < len(raw) else ''


def left(frame, value):
    """How a frame is left: an exception has None for its value, and is where it was raised."""
    stood = ENTERED.pop(frame, None)
    at = operation(frame.f_code, frame.f_lasti)
    if value is not None:  # in 3.13 f_lasti of a frame that yields is behind it
        return 'yield' if at in ('YIELD_VALUE', 'RESUME') else ''
    if stood and stood[1] == frame.f_lasti:  # where it yielded, and nothing was run
        return 'closed' if stood[0] == 'close' else 'unwind'
    return '' if at in ('RETURN_VALUE', 'RETURN_CONST') else 'unwind'


def hook_of(rows):
    def hook(frame, event, value):
        code = frame.f_code
        how = ''
        if event == 'call':
            if ENTERING:
                how = ENTERING.pop()
                ENTERED[frame] = how, frame.f_lasti
        elif event == 'return':
            how = left(frame, value)
        else:
            return
        rows.append([{'call': 'CALL', 'return': 'RETURN'}[event], code.co_name, code.co_filename,
                     frame.f_lineno, how])
    return hook


def begin():
    pass


def end():
    pass


def knock():
    pass


def watched(name, steps):
    begin()
    for step in steps:
        step()
    end()


def profiled(name, steps):
    rows = FOUND.setdefault(name, [])
    sys.setprofile(hook_of(rows))
    watched(name, steps)
    sys.setprofile(None)


def traced(folder):
    from pymemtrace import cPyMemTrace

    def run(name, steps):
        path = os.path.join(folder, '%s-%d.log' % (name, len(os.listdir(folder))))
        with cPyMemTrace.Profile(d_rss_trigger=0, filepath=path):
            watched(name, steps)
    return run


def in_threads(run, bodies):
    """Not by threading: what its functions call depends on who is first."""
    locks = []

    def body(lock, function):
        run(function.__name__, [function])
        lock.release()
    for function in bodies:
        locks.append(_thread.allocate_lock())
        locks[-1].acquire()
        _thread.start_new_thread(body, (locks[-1], function))
    for lock in locks:
        lock.acquire()


def run_program(text, name, run, at_once):
    space = {'__name__': 'logged', 'ENTERING': ENTERING}
    run('main', [lambda: exec(compile(text, name, 'exec'), space)])
    for i in range(2):  # the second time it is warm
        run('main', space['ALONE'])
        for bodies in space['THREADS']:
            if len(bodies) == 1 or at_once:
                in_threads(run, bodies)


def main(how, text, names, folder=None):
    gc.collect()
    gc.disable()  # it would run, and call, where memory says
    if how == 'watched':
        while os.read(0, 1) == b'k':
            knock()
        run = watched
    else:
        run = profiled if how == 'profile' else traced(folder)
    switch = sys.getswitchinterval()
    for name in names.split(','):
        sys.setswitchinterval(1e-5)
        # hooks of two threads at once are one too many for pymemtrace
        run_program(text, name, run, how != 'cpymemtrace')
    sys.setswitchinterval(switch)
    if how == 'profile':
        os.write(2, (json.dumps(list(FOUND.items())) + '\n').encode())
    if how == 'watched':
        os.write(2, b'done\n')
        os.read(0, 1)


main(*sys.argv[1:])
