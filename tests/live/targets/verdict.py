# SPDX-License-Identifier: MIT
"""A target: python3 -c SOURCE SCENARIO [STEP...], on any CPython from 3.6, that retains memory in one way.

It blocks in pause(2); each SIGUSR1 makes it take the next step and block again:

    trim      malloc_trim(0)
    free      lets go of what it has kept
    collect   gc.collect()
    remove    unlinks the files that it has made
"""
import gc
import mmap
import os
import random
import signal
import sys
import threading

KEPT = []
FILES = []


def function(name, result, *args):
    f = getattr(lib, name)
    f.restype, f.argtypes = result, args
    return f


if 'WITHOUT_CTYPES' in os.environ:  # a debug build may crash in another build's
    trim = id
else:
    import ctypes as C
    lib = C.CDLL(None)
    malloc = function('malloc', C.c_void_p, C.c_size_t)
    release = function('free', None, C.c_void_p)
    memset = function('memset', None, C.c_void_p, C.c_int, C.c_size_t)
    trim = function('malloc_trim', C.c_int, C.c_size_t)
    end = function('sbrk', C.c_void_p, C.c_size_t)
    prctl = function('prctl', C.c_int, C.c_int, C.c_ulong, C.c_ulong, C.c_ulong, C.c_ulong)


def free():
    kept = KEPT
    for i in range(len(kept)):
        kept[i] = None
    del i  # an int, which may be the only block of an arena


def remove():
    while FILES:
        os.unlink(FILES.pop())


STEPS = {'trim': lambda: trim(0), 'free': free, 'collect': gc.collect, 'remove': remove}


# what steps need is there before anything is measured: not one block of theirs is among survivors
PLAN = tuple(STEPS[word] for word in sys.argv[2:])
pause, write = signal.pause, os.write
told = [0, 0]


def steps():
    while told[0] < len(PLAN):
        pause()
        PLAN[told[0]]()
        told[0] += 1
        write(2, b'.')
    while told[1]:
        pause()


def idle():
    steps()


class Thing:
    """Freed at once: there is no free list of these."""
    __slots__ = 'a', 'b', 'c'


def pinned():
    """Few of many objects stay: in pymalloc's pools, or with PYTHONMALLOC=malloc in fastbins."""
    made = [Thing() for i in range(500000)]
    KEPT.extend(made[::200])
    del made
    steps()


def freed():
    """As many, of which none stays."""
    made = [Thing() for i in range(500000)]
    del made
    gc.collect()
    steps()


def half():
    """Every other one stays: no few survivors."""
    made = [Thing() for i in range(500000)]
    KEPT.extend(made[::2])
    del made
    steps()


def retained():
    """Much free memory below one block."""
    random.seed(1)
    x = [bytearray(random.randrange(10000, 100000)) for i in range(1500)]
    keep = bytearray(50000)
    x.append(keep)
    x.clear()
    steps()
    return keep


def every_tenth():
    random.seed(1)
    x = [bytearray(random.randrange(1000, 100000)) for i in range(1500)]
    KEPT.extend(x[::10])
    del x
    steps()


def grown():
    """A large block that was freed has raised the thresholds; then others of 2 MiB are on the heap."""
    x = bytearray(20 << 20)
    del x
    x = [bytearray(2 << 20) for i in range(30)]
    KEPT.append(malloc(600))
    while end(0) - KEPT[-1] > 1 << 20:  # it filled a gap
        KEPT.append(malloc(600))
    x.clear()
    steps()


def end_of_heap():
    """The same, with nothing behind them."""
    x = bytearray(30 << 20)
    del x
    x = [bytearray(2 << 20) for i in range(20)]
    x.clear()
    steps()


def arrays():
    """Blocks that malloc maps one by one."""
    keep = [malloc(1600000) for i in range(30)]
    for p in keep:
        memset(p, 1, 1600000)
    steps()
    return keep


def fill(size, nr):
    p = [malloc(size) for i in range(nr)]
    for q in p:
        memset(q, 1, size)
    return p


def in_turn(i, gates, size=20000, nr=800):
    """A peak of 16 MB in an arena of its own, when the thread before has had its own."""
    gates[i].wait()
    p = fill(size, nr)
    for q in p[:-1]:
        release(q)
    KEPT.append(p[-1])
    del p
    gates[i + 1].set()
    threading.Event().wait()


def threads():
    gates = [threading.Event() for i in range(6)]
    for i in range(5):
        threading.Thread(target=in_turn, args=(i, gates), daemon=True).start()
    gates[0].set()
    gates[-1].wait()
    steps()


def small_in_threads():
    """Blocks that are no use to map."""
    gates = [threading.Event() for i in range(6)]
    for i in range(5):
        threading.Thread(target=in_turn, args=(i, gates, 2000, 8000), daemon=True).start()
    gates[0].set()
    gates[-1].wait()
    steps()


def deep(n, here, go):
    if n:
        return deep(n - 1, here, go)
    here.release()
    go.wait()


def stacks():
    here, go = threading.Semaphore(0), threading.Event()
    sys.setrecursionlimit(3000)
    threading.stack_size(4 << 20)
    for i in range(60):
        threading.Thread(target=deep, args=(1500, here, go), daemon=True).start()
    for i in range(60):
        here.acquire()
    steps()


def shared():
    m = mmap.mmap(-1, 30 << 20)
    m.write(b'x' * (24 << 20))
    steps()
    return m


def huge():
    """A byte in each huge page."""
    prctl(41, 0, 0, 0, 0)  # PR_SET_THP_DISABLE, which tests inherit
    size = 48 << 20
    m = function('mmap', C.c_void_p, C.c_void_p, C.c_size_t, C.c_int, C.c_int, C.c_int, C.c_long)(
        None, size, 3, 0x22, -1, 0)
    function('madvise', C.c_int, C.c_void_p, C.c_size_t, C.c_int)(m, size, 14)
    for at in range(m, m + size, 2 << 20):
        memset(at, 1, 1)
    steps()


def library():
    """Maps a file as a linker would, and memory as the allocator in it would."""
    FILES.append('/tmp/libwidgets%d.so' % os.getpid())
    fd = os.open(FILES[0], os.O_RDWR | os.O_CREAT | os.O_EXCL)
    os.write(fd, bytes(1 << 20) + b'<jemalloc>: Invalid conf pair')
    mapped = mmap.mmap(fd, 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
    own = mmap.mmap(-1, 48 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    own.write(b'x' * len(own))
    steps()
    return mapped, own


def prefork():
    """A child; the parent tells its PID. FREEZE in the environment: as gc's documentation advises."""
    KEPT.extend([i, str(i)] for i in range(200000))
    gc.collect()
    if 'FREEZE' in os.environ:
        gc.freeze()
    child = os.fork()
    if not child:
        prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
        steps()
    sys.stdout.write('%d\n' % child)
    sys.stdout.flush()
    os.waitpid(child, 0)


def child_of_retained():
    """A child whose free memory is its parent's too."""
    random.seed(1)
    x = [bytearray(random.randrange(1000, 50000)) for i in range(1500)]
    KEPT.extend(x[::10])
    del x
    child = os.fork()
    if not child:
        prctl(1, signal.SIGKILL, 0, 0, 0)
        steps()
    sys.stdout.write('%d\n' % child)
    sys.stdout.flush()
    os.waitpid(child, 0)


def foreign():
    """Somebody else moves the break: the heap cannot be followed."""
    end(8192)
    keep = [bytearray(30000) for i in range(1000)]
    steps()
    return keep


def blocked():
    """What lies behind the break is somebody else's: malloc maps more heap wherever there is room."""
    at = (function('sbrk', C.c_void_p, C.c_ssize_t)(0) + 4095) & ~4095
    m = function('mmap', C.c_void_p, C.c_void_p, C.c_size_t, C.c_int, C.c_int, C.c_int, C.c_long)
    assert m(at, 4096, 0, 0x100022, -1, 0) == at
    keep = [bytearray(30000) for i in range(1000)]
    steps()
    return keep


def busy():
    sys.stdout.write('on\n')
    sys.stdout.flush()
    random.seed(1)
    keep = [b''] * 4000
    while True:
        keep[random.randrange(4000)] = bytearray(random.randrange(600, 20000))


# code and frames of what happens between two points are in memory from now on
signal.signal(signal.SIGUSR1, lambda number, frame: None)
os.kill(os.getpid(), signal.SIGUSR1)
KEPT.append(None)
for word in STEPS:
    STEPS[word]()
told[0] = len(PLAN)
steps()
KEPT.clear()
# free lists, which a collection empties, have a list, a slice, a tuple to give
gc.disable()
# arenas that have the interpreter's own blocks are full: what others it has is none of ours
FILLED = [Thing() for i in range(30000)]
[[[], []], (1, len(KEPT)), KEPT[::2]]
told[:] = 0, 1
globals()[sys.argv[1]]()
