# SPDX-License-Identifier: MIT
"""A target: python3 -c SOURCE SCENARIO, on any CPython from 3.6. Functions that grow by a number of
pages that is known by construction: each touches pages of its own, in one call of a C function.

Blocks in pause(2), does it all, then tells on stderr, as JSON, and blocks again:

    {"truth": {"outer": [30, 0, 4], ...}, "totals": {"outer": 150, ...}, "largest": {"outer": 150, ...},
     "steps": {"step_nested": 614400, ...}}

pages that each function grew and shrank by itself, and how many more the interpreter may take for it;
how many it grew by with all that it called, and the most in a single call; by how many bytes the
kernel's figure of its RSS changed in each step. Steps of other files (calls_growth.py) come before
main().
"""
import functools
import importlib
import json
import mmap
import os
import shutil
import signal
import sys
import tempfile
import threading

PAGE = 4096
# What the interpreter itself may take for a function: the mapping's object, a slice and a memory view
# make pymalloc or malloc open a page now and then.
OWN_PAGES = 4
ONES = memoryview(b'\x01' * 4096)
KEEP = []
TRUTH = {}
TOTALS = {}
LARGEST = {}
STEPS = {}
STATM = 100  # its own /proc/self/statm: the root may have no /proc
DEBUG = hasattr(sys, 'gettotalrefcount')  # may find no extension modules but a release build's


def fresh(pages, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS):
    """Memory that nobody has touched."""
    m = mmap.mmap(-1, pages * PAGE, flags)
    KEEP.append(m)
    return m


def truth(name, grown, shrunk=0, own=OWN_PAGES):
    """Twice for one name: where two functions have the same before 3.11, or are one since 3.12."""
    old = TRUTH.get(name, (0, 0, 0))
    TRUTH[name] = (old[0] + grown, old[1] + shrunk, max(old[2], own))


def totals(**pages):
    TOTALS.update(pages)


def largest(**pages):
    LARGEST.update(pages)


def resident():
    return int(os.pread(STATM, 128, 0).split()[1]) * PAGE


# --- steps: each is one kind of program -------------------------------------------------------

def inner():
    fresh(70)[::PAGE] = ONES[:70]


def middle():
    fresh(25)[::PAGE] = ONES[:25]
    inner()
    fresh(25)[::PAGE] = ONES[:25]


def outer():
    fresh(30)[::PAGE] = ONES[:30]
    middle()


def step_nested():
    outer()
    truth('inner', 70), truth('middle', 50), truth('outer', 30)
    totals(middle=120, outer=150), largest(inner=70, middle=120, outer=150)


def produce(n):
    for i in range(n):
        fresh(20)[::PAGE] = ONES[:20]
        yield i


def delegate(n):
    fresh(15)[::PAGE] = ONES[:15]
    yield from produce(n)
    fresh(16)[::PAGE] = ONES[:16]


def step_generators():
    for i in delegate(9):
        fresh(3)[::PAGE] = ONES[:3]
    truth('produce', 180), truth('delegate', 31), truth('step_generators', 27)


class Turn:
    def __await__(self):
        yield None


async def leaf(pages):
    await Turn()
    fresh(pages)[::PAGE] = ONES[:pages]
    await Turn()


async def branch(pages):
    await leaf(pages)
    fresh(12)[::PAGE] = ONES[:12]
    await leaf(pages)


async def first_task():
    await branch(40)


async def second_task():
    fresh(8)[::PAGE] = ONES[:8]
    await branch(60)
    await branch(70)


def step_coroutines():
    """Two chains in turn, without an event loop."""
    running = [first_task(), second_task()]
    while running:
        for c in list(running):
            try:
                c.send(None)
            except StopIteration:
                running.remove(c)
    truth('leaf', 340), truth('branch', 36), truth('second_task', 8)
    totals(first_task=92, second_task=8 + 132 + 152)


async def task_leaf(pages):
    import asyncio
    await asyncio.sleep(0)
    fresh(pages)[::PAGE] = ONES[:pages]
    await asyncio.sleep(0)


async def task_a():
    await task_leaf(90)
    fresh(11)[::PAGE] = ONES[:11]


async def task_b():
    await task_leaf(45)
    await task_leaf(46)


async def gathering():
    import asyncio
    await asyncio.gather(task_a(), task_b())


def step_tasks():
    import asyncio
    loop = asyncio.new_event_loop()
    loop.run_until_complete(gathering())
    loop.close()
    truth('task_leaf', 181), truth('task_a', 11)
    totals(task_a=101, task_b=91, gathering=0)


def reader(f, m):
    """32 MiB by one system call, without the GIL."""
    KEEP.append(f.readinto(m))


def spin(stop):
    while not stop:
        pass


def step_threads():
    stop = []
    others = [threading.Thread(target=spin, args=(stop,)) for i in range(3)]
    for t in others:
        t.start()
    try:
        with tempfile.TemporaryFile(buffering=0) as f:
            f.truncate(8192 * PAGE)
            t = threading.Thread(target=reader, args=(f, fresh(8192)))
            t.start()
            t.join()
    finally:
        stop.append(1)
        for t in others:
            t.join()
    assert KEEP[-1] == 8192 * PAGE, KEEP[-1]
    truth('reader', 8192)


def recurse(n):
    fresh(2)[::PAGE] = ONES[:2]
    if n:
        recurse(n - 1)


def fall(n):
    if n:
        fall(n - 1)
    fresh(1)[::PAGE] = ONES[:1]


def step_recursion():
    recurse(59)
    fall(299)
    # and a frame object for each call until 3.10, of half a KiB; a chunk of them since
    truth('recurse', 120, own=60 // 8 + OWN_PAGES), truth('fall', 300, own=300 // 8 + OWN_PAGES)


def decorator(f):
    def wrapper(*args, **kwargs):
        fresh(10)[::PAGE] = ONES[:10]
        return f(*args, **kwargs)
    return wrapper


@decorator
@decorator
def decorated():
    fresh(41)[::PAGE] = ONES[:41]


class Loader:
    @classmethod
    def load(cls):
        fresh(33)[::PAGE] = ONES[:33]

    @property
    def lazy(self):
        fresh(34)[::PAGE] = ONES[:34]


def step_names():
    class Body:
        fresh(13)[::PAGE] = ONES[:13]
    decorated()
    Loader.load()
    Loader().lazy
    (lambda: fresh(21).__setitem__(slice(None, None, PAGE), ONES[:21]))()
    truth('decorator.<locals>.wrapper', 20), truth('decorated', 41), truth('Loader.load', 33)
    truth('step_names.<locals>.Body', 13), truth('Loader.lazy', 34), truth('step_names.<locals>.<lambda>', 21)


def step_comprehensions():
    """Since 3.12 (PEP 709) a comprehension is a part of its function; a generator expression is not."""
    [fresh(5).__setitem__(slice(None, None, PAGE), ONES[:5]) for i in range(8)]
    {i: fresh(6).__setitem__(slice(None, None, PAGE), ONES[:6]) for i in range(8)}
    list(fresh(7).__setitem__(slice(None, None, PAGE), ONES[:7]) for i in range(8))
    inlined = sys.version_info >= (3, 12)
    me = 'step_comprehensions'
    truth(me if inlined else me + '.<locals>.<listcomp>', 40)
    truth(me if inlined else me + '.<locals>.<dictcomp>', 48)
    truth(me + '.<locals>.<genexpr>', 56)


def sort_key(x):
    fresh(9)[::PAGE] = ONES[:9]
    return x


def map_item(x):
    fresh(14)[::PAGE] = ONES[:14]


def reduce_two(a, b):
    fresh(17)[::PAGE] = ONES[:17]
    return sorted([3, 2, 1], key=sort_key)


def step_callbacks():
    sorted([3, 1, 2, 4], key=sort_key)
    list(map(map_item, range(5)))
    functools.reduce(reduce_two, range(4))
    truth('sort_key', 4 * 9 + 3 * 3 * 9), truth('map_item', 70), truth('reduce_two', 51)
    totals(reduce_two=51 + 81)


def step_import():
    folder = tempfile.mkdtemp()
    with open(os.path.join(folder, 'grown_module.py'), 'w') as f:
        f.write('from __main__ import fresh, ONES, PAGE\n'
                'fresh(101)[::PAGE] = ONES[:101]\n'
                'def at_import():\n    fresh(52)[::PAGE] = ONES[:52]\n'
                'at_import()\n')
    sys.path.insert(0, folder)
    try:
        importlib.import_module('grown_module')
    finally:
        del sys.path[0]
        shutil.rmtree(folder)
    truth('<module>@grown_module.py', 101), truth('at_import', 52)
    totals(step_import=153)


def shared():
    fresh(200, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)[::PAGE] = ONES[:200]


def from_file(f):
    m = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
    KEEP.append(m)
    m[::PAGE]


def step_mmap():
    shared()
    with tempfile.TemporaryFile() as f:
        f.write(b'\x01' * 333 * PAGE)
        f.flush()
        from_file(f)
    truth('shared', 200), truth('from_file', 333)


def into_heap():
    """malloc's own mapping, of more than it ever takes from its heap: its header makes it a page
    more."""
    KEEP.append(bytearray(40 << 20))


def objects():
    """pymalloc's arenas: by as much as the step grows."""
    KEEP.append(list(map(bytes, [400] * 20000)))


def step_heap():
    into_heap()
    truth('into_heap', 10241)


def step_objects():
    objects()


def give_back(m):
    m.close()


def step_release():
    m = fresh(150)
    KEEP.pop()
    m[::PAGE] = ONES[:150]
    give_back(m)
    truth('step_release', 150), truth('give_back', 0, 150)


def step_short_lived():
    """Code objects that come and go, each of them with a name of its own: their memory is used again
    and again, also for the names."""
    space = {'fresh': fresh, 'ONES': ONES, 'PAGE': PAGE}
    for i in range(400):
        name = 'short_lived_%03d' % (i * 7 % 400)
        code = compile('def %s():\n    fresh(3)[::PAGE] = ONES[:3]\n' % name, '<made up>', 'exec')
        exec(code, space)
        space.pop(name)()
        del code
        truth(name, 3)


def step_modules():
    """The same of modules, whose code is all called <module> and begins in the same line."""
    space = {'fresh': fresh, 'ONES': ONES, 'PAGE': PAGE}
    for i in range(100):
        name = 'module_%02d.py' % (i * 7 % 100)
        exec(compile('fresh(4)[::PAGE] = ONES[:4]\n', '/nowhere/' + name, 'exec'), space)
        truth('<module>@' + name, 4)


# --- in turn ----------------------------------------------------------------------------------

def ten(m, at):
    m[at:at + 10 * PAGE:PAGE] = ONES[:10]
    return at + 10 * PAGE


def twenty_two(m, at):
    m[at:at + 22 * PAGE:PAGE] = ONES[:22]
    return at + 22 * PAGE


def one(m, at):
    m[at:at + PAGE:PAGE] = ONES[:1]
    return at + PAGE


def thirty_one(m, at):
    m[at:at + 31 * PAGE:PAGE] = ONES[:31]
    return at + 31 * PAGE


def sixteen(m, at):
    m[at:at + 16 * PAGE:PAGE] = ONES[:16]
    return at + 16 * PAGE


def other_sixteen(m, at):
    m[at:at + 16 * PAGE:PAGE] = ONES[:16]
    return at + 16 * PAGE


def in_turn(a, b):
    m = fresh(700 * 32)
    at = 0
    for i in range(700):
        at = a(m, at)
        at = b(m, at)
    assert at == 700 * 32 * PAGE
    release_all(KEEP.pop())


def release_all(m):
    m.close()


def step_in_turn():
    in_turn(ten, twenty_two)
    in_turn(one, thirty_one)
    in_turn(sixteen, other_sixteen)
    truth('ten', 7000), truth('twenty_two', 15400), truth('one', 700), truth('thirty_one', 21700)
    truth('sixteen', 11200), truth('other_sixteen', 11200), truth('release_all', 0, 3 * 22400)


def some_pages(m, at, n):
    m[at:at + n * PAGE:PAGE] = ONES[:n]
    return at + n * PAGE


def few_pages(m, at, n):
    m[at:at + n * PAGE:PAGE] = ONES[:n]
    return at + n * PAGE


def many_pages(m, at, n):
    m[at:at + n * PAGE:PAGE] = ONES[:n]
    return at + n * PAGE


def step_irregular():
    """In turn, but by amounts without any rhythm."""
    m = fresh(700 * 60)
    at, seed, grown = 0, 1, [0, 0, 0]
    for i in range(700):
        for which, grow, most in ((0, some_pages, 20), (1, few_pages, 5), (2, many_pages, 35)):
            seed = (seed * 1103515245 + 12345) & 0x7fffffff
            n = (seed >> 12) % most + 1
            at = grow(m, at, n)
            grown[which] += n
    release_all(KEEP.pop())
    truth('some_pages', grown[0]), truth('few_pages', grown[1]), truth('many_pages', grown[2])
    truth('release_all', 0, sum(grown))


def all_steps(names):
    for name, step in sorted(globals().items()):
        if name.startswith('step_') and (name[5:] in names or not names) and not (
                DEBUG and name == 'step_tasks'):
            before = resident()
            step()
            STEPS[name] = resident() - before


def main():
    """All is done once before: what the interpreter needs for it is then there, its own text, stack
    and free lists among it."""
    signal.signal(signal.SIGUSR1, lambda number, frame: None)
    all_steps(sys.argv[1:])
    del KEEP[:]
    TRUTH.clear()
    sys.modules.pop('grown_module', None)
    signal.pause()
    all_steps(sys.argv[1:])
    sys.stderr.write(json.dumps({'truth': TRUTH, 'totals': TOTALS, 'largest': LARGEST,
                                 'steps': STEPS}) + '\n')
    sys.stderr.flush()
    signal.pause()


main()
