# SPDX-License-Identifier: MIT
"""A target: python3 -c SOURCE SCENARIO, on any CPython from 3.6.

At each point of interest it prints its allocator's account on stderr and blocks in pause(2);
nothing is allocated between the two. SIGUSR1 sends it on to the next point.
"""
import signal
import sys


def point():
    d = sys._debugmallocstats
    p = signal.pause
    d()
    p()


def numbers(seed):
    while True:
        seed = (seed * 1103515245 + 12345) & 0x7fffffff
        yield seed >> 8


def fill(seed, count):
    """Blocks of all size classes, 30 % of which survive, far apart."""
    r = numbers(seed)
    blocks = [bytes(next(r) % 470) if i % 3 else [i] * (next(r) % 8) for i in range(count)]
    return [b for b in blocks if next(r) % 10 < 3]


def small():
    point()


def heap():
    """About 70 MB at its peak; arenas given back, holes everywhere."""
    keep = fill(1, 270000)
    junk = [bytes(400) for i in range(40000)]
    del junk
    point()
    return keep


class C:
    def method(self):
        return 1


def recurse(n):
    return recurse(n - 1) + 1 if n else 0


def generator():
    x = 1
    yield x
    yield x


def freelists():
    dicts = [{i: i} for i in range(60)]
    empty = [{} for i in range(60)]
    floats = [float(i) for i in range(77)]
    lists = [[i] for i in range(66)]
    tuples = [tuple(range(i % 25)) for i in range(900)]
    c = C()
    methods = [c.method for i in range(40)]
    builtins = [[].append for i in range(33)]
    generators = [generator() for i in range(90)]
    for g in generators:
        next(g)
    del generators, g
    recurse(100)
    del dicts, empty, floats, lists, tuples, methods, builtins
    point()


def start_threads(count, body):
    """Threads that run body and then block without allocating; returns when all have got there."""
    import _thread
    locks = [_thread.allocate_lock() for i in range(count)]

    def run(i):
        kept = body(i)
        released = locks[i].release
        pause = signal.pause
        released()
        pause()
        return kept

    for lock in locks:
        lock.acquire()
    for i in range(count):
        _thread.start_new_thread(run, (i,))
    for lock in locks:
        lock.acquire()
    return locks


def threads():
    def body(i):
        return [[{j: float(j)} for j in range(50)], fill(i, 2000)]
    locks = start_threads(64, body)
    point()
    return locks


def deep():
    """Recursion makes data-stack chunks since 3.11: the arena allocator serves those too."""
    point()

    def body(i):
        recurse(600)
        return fill(i, 1500)
    locks = start_threads(64, body)
    point()
    return locks


def stages():
    """Two points for a difference; both directions in many classes."""
    keep = fill(3, 60000)
    shrink = [bytes(i % 500) for i in range(40000)]
    point()
    more = fill(4, 90000)
    del shrink[::2]
    freed = [{i: i} for i in range(40)]
    del freed
    point()
    return keep, shrink, more


def one_class():
    """Grows a single size class and frees nothing: pools taken == pools more."""
    point()
    keep = [bytes(440) for i in range(60000)]
    point()
    return keep


def waves():
    """Each SIGUSR1: 20 MB more or less."""
    kept = []
    while True:
        point()
        if kept:
            del kept[:]
        else:
            kept.extend(bytes(400) for i in range(50000))


def busy():
    """Allocates all the time: arenas come and go, lists and dicts churn."""
    rounds = 0
    while True:
        keep = [bytes(i % 470) for i in range(60000)]
        other = [[{i: i}] for i in range(15000)]
        del keep[::2]
        del other, keep
        rounds += 1
        if rounds == 2:
            sys.stdout.write('busy\n')
            sys.stdout.flush()


def make_subinterpreter():
    """Returns (run, interpreter)."""
    try:
        import _interpreters as module
        run = module.exec
    except ImportError:
        import _xxsubinterpreters as module
        run = module.run_string
    return run, module.create()


def subinterpreter():
    run, sub = make_subinterpreter()
    point()
    run(sub, 'keep = [bytes(i % 470) for i in range(60000)]')
    keep = fill(5, 60000)
    point()
    return keep


def no_memory():
    """Its address space is limited while it blocks: growing fails, then there is room again."""
    import resource
    point()
    keep = []
    try:
        while True:
            keep.append(bytes(400))
    except MemoryError:
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    keep.extend(bytes(400) for i in range(20000))
    point()
    return keep


def tracing():
    """What would hide pymalloc from its own account."""
    import tracemalloc
    tracemalloc.start()
    keep = fill(6, 20000)
    point()
    return keep


def forked():
    """A child that shares its heap with its parent; the parent tells the child's PID."""
    import os
    keep = fill(1, 270000)
    child = os.fork()
    if not child:
        point()
    sys.stdout.write('%d\n' % child)
    sys.stdout.flush()
    while True:
        try:
            pid, status = os.waitpid(-1, 0)
        except OSError:
            break
        child = os.fork()  # a fresh one for the next attempt
        if not child:
            point()
        sys.stdout.write('%d\n' % child)
        sys.stdout.flush()
    return keep


signal.signal(signal.SIGUSR1, lambda number, frame: None)
globals()[sys.argv[1]]()
