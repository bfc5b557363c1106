# SPDX-License-Identifier: MIT
"""Memory of one kind: memory.py KIND GIB. Prints FIGURES and what it has, and blocks."""
import ctypes
import mmap
import random
import signal
import sys
import time

kind, size = sys.argv[1], int(float(sys.argv[2]) * (1 << 30))
random.seed(1)
begin = time.process_time()


def pages():
    """One block that malloc maps, as numpy's arrays are, page by page."""
    area = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    area.madvise(15)  # MADV_NOHUGEPAGE
    for i in range(0, size, 4096):
        area[i] = 1
    return area, size // 4096


def pools():
    """Blocks of all size classes, half of them freed again, all over the heap."""
    made, nr = [], size // 280
    made.extend(bytes(i % 480) for i in range(nr))
    for first in (1, 2):
        del made[first::4]
    return made, len(made)


def chunks():
    """Of 1 to 5 KB in malloc's heap, a third of them freed again."""
    made = [bytes(random.randrange(1000, 5000)) for _ in range(size // 3040)]
    nr = len(made)
    del made[::3]
    return made, nr


def small():
    """Chunks of 64 bytes; every second one is freed again."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    nr = size // 64
    made = (ctypes.c_void_p * nr)()
    for i in range(nr):
        made[i] = libc.malloc(56)
    for i in range(0, nr, 2):
        libc.free(made[i])
    return made, nr


kept, number = globals()[kind]()
print('FIGURES %.6f 0' % (time.process_time() - begin), flush=True)
print('NUMBER %d' % number, flush=True)
signal.pause()
