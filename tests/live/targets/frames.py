# SPDX-License-Identifier: MIT
"""A target: python3 -c SOURCE SCENARIO. Threads block in many ways, and it tells what
sys._current_frames() says of each: a line of JSON on stderr, then pause(2).

What tells, what blocks and what makes memory grow stand on one line of source: no frame's line can
change between them. A thread that gets a message fills that many fresh bytes twice: in a system call,
without the GIL, and in a function of C, with it. Then it says so, and blocks for good.
"""
import json
import mmap
import os
import signal
import socket
import sys
import threading
import traceback

PIPE = os.pipe()[0]
BYTES = 32 * 4096
MESSAGES, SENDER = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
ROOM = iter([mmap.mmap(-1, BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for i in range(100)])
HEAP = mmap.mmap(-1, 100 * BYTES)
DATA = bytes(BYTES)
FD = MESSAGES.fileno()
READY = threading.Lock()
NATIVE = {}


def account(frame):
    """[[file, name, line, first line], ...], the leaf first."""
    found = []
    for f, line in traceback.walk_stack(frame):
        code = f.f_code
        assert line == f.f_lineno
        found.append([code.co_filename, getattr(code, 'co_qualname', code.co_name), line or 0,
                      code.co_firstlineno])
    return found


def report():
    me = threading.get_ident()
    frames = sys._current_frames()
    frames[me] = sys._getframe(1)
    told = [{'ident': ident, 'native': NATIVE.get(ident), 'frames': account(f)}
            for ident, f in frames.items()]
    sys.stderr.write(json.dumps(told) + '\n')
    sys.stderr.flush()


def block(*unused):
    READY.release(), os.readv(FD, [next(ROOM)]), HEAP.write(DATA), READY.release(), os.read(PIPE, 1)


def native():
    if hasattr(threading, 'get_native_id'):
        NATIVE[threading.get_ident()] = threading.get_native_id()


def start(body, *args):
    def run():
        native()
        body(*args)
    thread = threading.Thread(target=run)
    thread.daemon = True
    READY.acquire()
    thread.start()
    READY.acquire()  # released where it blocks
    READY.release()


# --- ways to block ----------------------------------------------------------------------------

def generators():
    def inner(n):
        yield n
        if n == 3:
            block()
        yield from (inner(n + 1)
                    if n < 3
                    else [])

    def middle():
        for x in (y for y in inner(0)):
            yield [z
                   for z in (x, x)]
    return {k: v
            for k, v in enumerate(
                middle())}


def generator_chain():
    def chain(n):
        if n:
            yield from chain(n - 1)
        else:
            yield block()
    return list(chain(60))


def thrown_into():
    def generator():
        try:
            yield 1
        except ValueError:
            try:
                raise KeyError
            except KeyError:
                block(
                    1)
            finally:
                pass
    g = generator()
    next(g)
    g.throw(ValueError())


class Awaitable:
    def __await__(self):
        yield block()


class Context:
    async def __aenter__(self):
        return await Awaitable()

    async def __aexit__(self, *error):
        pass


def coroutines():
    async def numbers():
        async with Context() as c:
            yield c

    async def top(n):
        if n:
            return await top(n - 1)
        return [x async for x in numbers()]
    top(5).send(None)


def tasks():
    import asyncio

    async def leaf(delay):
        await asyncio.sleep(0)
        if delay:
            block()

    async def main():
        await asyncio.gather(leaf(False),
                             leaf(True))
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())


def callbacks():
    """From C and back, through many functions of C."""
    import functools
    import re

    class Key:
        def __init__(self, next_one):
            self.next_one = next_one

        def __lt__(self, other):
            return self.next_one()

        def __getattr__(self, name):
            return self.next_one()

        def __del__(self):
            self.next_one()

    def by_sub():
        re.sub('x', lambda m: block(), 'x')

    def by_reduce():
        return functools.reduce(lambda a, b: by_sub(), [1, 2, 3])

    def by_del():
        Key(by_reduce)

    def by_attribute():
        return Key(by_del).anything

    def by_sort():
        return sorted([Key(by_attribute), Key(by_attribute)])

    def by_map():
        return list(map(lambda x: (
            by_sort()), [1]))
    functools.partial(by_map)()


def foreign():
    """A callback of libffi's."""
    import ctypes
    array = (ctypes.c_int * 2)(2, 1)
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    ctypes.CDLL(None).qsort(array, ctypes.c_size_t(2), ctypes.c_size_t(4), compare(block))


def places():
    """Decorators, a class body, exec, eval, handlers, calls over many lines."""
    import contextlib

    @contextlib.contextmanager
    def manager():
        try:
            yield 1
        finally:
            block(
                1,
                2)

    def decorator(f):
        def wrapper(*args,
                    **kwargs):
            return f(
                *args,
                **kwargs)
        return wrapper

    class Property:
        @property
        @decorator
        def value(self):
            with manager() as a, \
                    manager():
                return (
                    a
                )
        method = classmethod(
            lambda cls, x:
                cls().value)

    code = '''

class Body(base):

    x = (

        base.method(1)
    )
'''
    try:
        1 / 0
    except ZeroDivisionError:
        eval('[exec(code, {"base": b}) for b in [base]]', {'code': code, 'base': Property})


def imported():
    """The frames of importlib, which is frozen."""
    import importlib.machinery

    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name != 'blocking_module':
                return None
            return importlib.machinery.ModuleSpec(name, self)

        def create_module(self, spec):
            return None

        def exec_module(self, module):
            exec(compile('\n\nf()', '<made up>', 'exec'), {'f': block})
    sys.meta_path.insert(0, Finder())
    try:
        import blocking_module
    finally:
        del sys.meta_path[0]
    return blocking_module


def traced():
    """Instrumented code."""
    def tracer(frame, event, arg):
        return tracer

    def f(n):
        for i in range(n):
            pass
        block(); return i
    sys.settrace(tracer)
    f(3)


def hot():
    """Long enough for the interpreter to specialise."""
    def leaf(last):
        if last: block()
        return [i for i in (last,)]

    def middle(i):
        return leaf(
            i == 4999)
    for i in range(5000):
        middle(i)


def named(file, name):
    """Files and functions of any name."""
    space = {'block': block}
    exec(compile('\n\ndef %s(n):\n  if not n:\n    return block()\n  return %s(n - 1)\n' % (
        name, name), file, 'exec'), space)
    space[name](2)


def long_table(n):
    """A function, and a module, of many lines; it blocks near their ends."""
    lines = ['def f(x):']
    for i in range(n):
        lines += ['    x = [x,', '         x]', '']
        if i % 50 == 0:
            lines += ['    x = 1'] + [''] * 300
    lines += ['    b()', '    return x', 'x = 1']
    lines += ['x = x + 1', ''] * n + ['f(x)']
    exec(compile('\n'.join(lines), '<long>', 'exec'), {'b': block})


def recursion(depth):
    """That many frames in all, or as many more as there are at least."""
    def recurse(n):
        if n > 0:
            return recurse(n - 1) + 1
        block(); return 1
    here, frame = 0, sys._getframe()
    while frame:
        here, frame = here + 1, frame.f_back
    recurse(depth - here - 2)  # block() and the first recurse() are two


def all_ways():
    for body in (generators, generator_chain, thrown_into, coroutines, callbacks, places, imported,
                 traced, hot):
        start(body)
    # a debug build may find nothing but extension modules of the release build, and crash in them
    if not hasattr(sys, 'gettotalrefcount'):
        start(tasks)
        start(foreign)
    for depth in (1, 126, 127, 128, 300):
        start(recursion, depth)
    for n in (100, 6000):
        start(long_table, n)
    for file in ('/tmp/a dir with  spaces/x.py', '/tmp/na\xefve/\xff.py', '/tmp/\u2603/\u0444.py',
                 '/tmp/\U0001f40d/x.py', '/tmp/bad\udcff\udc80.py', 'new\nline\t\x1b\\n.py', '',
                 '/' + 'x' * 4095, '/' + 'x' * 4096, '/' + '\u0444' * 5000):
        for name in ('f', 'caf\xe9', '\u0444\u0443\u043d\u043a', '\U00010330\U00010331', 'n' * 5000):
            if name == 'f' or '\u2603' in file:
                start(named, file, name)


def point():
    native()
    for i in range(2):
        report(), signal.pause()


def threads():
    all_ways()
    point()


def growing():
    """The threads of all ways, each of which grows in its turn."""
    all_ways()
    native()
    report(), signal.pause()
    for i in range(threading.active_count() - 1):
        READY.acquire(), SENDER.send(DATA), READY.acquire(), READY.release()
    while True:
        signal.pause()


def nested():
    """The main thread itself, deep in something."""
    def generator():
        yield point()
    return sorted([3, 2], key=lambda x: list(
        generator()))


def subinterpreter():
    try:
        import _interpreters as module
        run = module.exec
    except ImportError:
        import _xxsubinterpreters as module
        run = module.run_string
    sub = module.create()
    source = '\n\ndef f(): import os; os.write(%d, b"x"), os.read(%d, 1)\nf()' % (W, PIPE)

    thread = threading.Thread(target=lambda: run(sub, source))
    thread.daemon = True
    thread.start()
    os.read(R, 1)
    report(), signal.pause()


def spinning():
    """Keeps the GIL: one thread, no system call."""
    report()
    while True:
        pass


R, W = os.pipe()
signal.signal(signal.SIGUSR1, lambda number, frame: None)
globals()[sys.argv[1]]()
