# SPDX-License-Identifier: MIT
"""A target: python3 -c SOURCE SCENARIO, on any CPython from 3.6, that asks its own malloc.

It blocks in pause(2) right after mallinfo2() has written its account into memory that was there
before; nothing is allocated between the two. After SIGUSR1 it calls malloc_trim(0), takes the next
account, prints the one before on stderr and blocks again.
"""
import ctypes
import gc
import os
import random
import signal
import sys

C = ctypes
lib = C.CDLL(None)
NAMES = ('arena', 'ordblks', 'smblks', 'hblks', 'hblkhd', 'usmblks', 'fsmblks', 'uordblks',
         'fordblks', 'keepcost')


def function(name, result, *args):
    f = getattr(lib, name)
    f.restype, f.argtypes = result, args
    return f


malloc = function('malloc', C.c_void_p, C.c_size_t)
free = function('free', None, C.c_void_p)
memset = function('memset', None, C.c_void_p, C.c_int, C.c_size_t)
trim = function('malloc_trim', None, C.c_size_t)
# a struct as the result goes where a hidden first argument says
if hasattr(lib, 'mallinfo2'):
    account = (C.c_uint64 * 10)()
    mallinfo = function('mallinfo2', None, C.c_void_p)
else:
    account = (C.c_uint32 * 10)()
    mallinfo = function('mallinfo', None, C.c_void_p)
where = C.c_void_p(C.addressof(account))


def point():
    ask, p = mallinfo, signal.pause
    for i in range(20):  # what this itself needs is there from now on
        ask(where)
    p()


def text():
    return ('{%s}\n' % ', '.join('"%s": %d' % x for x in zip(NAMES, list(account)))).encode()


def points():
    text()
    while True:
        point()
        told = text()
        if 'trim' in sys.argv:
            trim(0)
        os.write(2, told)


def small():
    points()


def fragmented():
    """Survivors far apart: in pymalloc's pools, or with PYTHONMALLOC=malloc in fastbins."""
    class O:
        __slots__ = 'a', 'b', 'c'
    x = [O() for i in range(300000)]
    keep = x[::150]
    del x
    gc.collect()
    points()
    return keep


def fastbins():
    """Small blocks, every other one free."""
    x = [malloc(60) for i in range(200000)]
    for p in x[::2]:
        free(p)
    points()
    return x


def retained():
    """Much free memory below one block."""
    random.seed(1)
    x = [bytearray(random.randrange(10000, 100000)) for i in range(1500)]
    keep = bytearray(50000)
    x.append(keep)
    x.clear()
    points()
    return keep


def every_tenth():
    random.seed(1)
    x = [bytearray(random.randrange(1000, 100000)) for i in range(1500)]
    keep = x[::10]
    del x
    points()
    return keep


def top():
    """20 MB at the end of the heap: the threshold has grown and nothing trims it."""
    x = bytearray(30 << 20)
    del x
    x = [bytearray(100000) for i in range(200)]
    del x
    points()


def threads():
    """Arenas of their own, in one of which heaps are full; dead threads before."""
    import threading
    go = threading.Event()
    ready = threading.Barrier(9)
    kept = []

    def body(i):
        size, nr = (20000, 600) if i else (60000, 4000)
        p = [malloc(size) for k in range(nr)]
        for q in p:
            memset(q, 1, 1000)
        for q in p[:-1] if i % 2 else p[::3]:
            free(q)
        for k in range(40):
            free(malloc(16 * k))
        kept.append(p[-1])
        ready.wait()
        go.wait()

    for i in range(12):
        t = threading.Thread(target=lambda: kept.append(malloc(100)))
        t.start()
        t.join()
    for i in range(8):
        threading.Thread(target=body, args=(i,), daemon=True).start()
    ready.wait()
    points()


def mapped():
    """As numpy does: arrays that are mappings, from 4 MB on with huge pages asked for behind their
    first page; then aligned, grown and given back ones."""
    madvise = function('madvise', C.c_int, C.c_void_p, C.c_size_t, C.c_int)
    align = function('posix_memalign', C.c_int, C.c_void_p, C.c_size_t, C.c_size_t)
    realloc = function('realloc', C.c_void_p, C.c_void_p, C.c_size_t)
    keep = [malloc(1600000 + 4096 * i) for i in range(40)]
    for q in keep:
        memset(q, 1, 200000)
    for i in range(6):
        q = malloc(6000000)
        start = (q + 4095) & ~4095
        madvise(start, q + 6000000 - start, 14)
        memset(q, 1, 6000000)
        keep.append(q)
    p = C.c_void_p()
    for alignment in (32, 4096, 65536, 2 << 20):
        align(C.byref(p), alignment, 3000000)
        memset(p, 1, 100)
        keep.append(p.value)
    for i in range(10, 20):
        keep[i] = realloc(keep[i], 5000000 + 4096 * i)
    for i in range(20, 30):
        keep[i] = realloc(keep[i], 300000)
    for i in range(0, 10, 2):
        free(keep[i])
    points()
    return keep


def forked():
    """A child that shares its heap; the parent tells its PID."""
    random.seed(1)
    x = [bytearray(random.randrange(1000, 50000)) for i in range(2000)]
    keep = x[::10]
    del x
    child = os.fork()
    if not child:
        points()
    sys.stdout.write('%d\n' % child)
    sys.stdout.flush()
    os.waitpid(child, 0)
    return keep


def foreign():
    """Somebody else moves the break."""
    function('sbrk', C.c_void_p, C.c_size_t)(8192)
    keep = [bytearray(30000) for i in range(200)]
    points()
    return keep


def pieces():
    """The break cannot grow any more: the main heap goes on in mappings."""
    mmap = function('mmap', C.c_void_p, C.c_void_p, C.c_size_t, C.c_int, C.c_int, C.c_int, C.c_long)
    end = function('sbrk', C.c_void_p, C.c_size_t)(0)
    mmap(end, 4096, 0, 0x100022, -1, 0)  # MAP_FIXED_NOREPLACE|MAP_ANONYMOUS|MAP_PRIVATE
    keep = [bytearray(30000) for i in range(2000)]
    points()
    return keep


def busy():
    sys.stdout.write('on\n')
    sys.stdout.flush()
    random.seed(1)
    keep = [b''] * 1000
    while True:
        keep[random.randrange(1000)] = bytearray(random.randrange(600, 20000))


def elsewhere():
    """For other allocators, of which there is no account."""
    keep = [bytearray(30000) for i in range(2000)]
    os.write(2, b'ready\n')
    signal.pause()
    return keep


# the code of what happens between two points is in the page tables from now on
if 'trim' in sys.argv:
    trim(0)
signal.signal(signal.SIGUSR1, lambda number, frame: None)
os.kill(os.getpid(), signal.SIGUSR1)
globals()[sys.argv[1]]()
