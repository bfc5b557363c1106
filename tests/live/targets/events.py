# SPDX-License-Identifier: MIT
"""Functions that do a known number of page faults and system calls: events.py STEP...

Each step is done behind a point of its own (pause(2), SIGUSR1), and once before, so that nothing of the
interpreter's own is new in the second. Addresses and calls are C's, by ctypes: the
mmap module of 3.8 has neither madvise nor mremap of private memory.
"""
import ctypes
import mmap
import os
import signal
import sys
import threading

PAGE = 4096
HUGE = 2 << 20
libc = ctypes.CDLL(None, use_errno=True)
for name in ('mmap', 'mremap', 'sbrk'):
    getattr(libc, name).restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.mremap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.sbrk.argtypes = [ctypes.c_long]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
PRIVATE, SHARED, ANONYMOUS = 2, 1, 0x20
DONTNEED, FREE, HUGEPAGE, PAGEOUT = 4, 8, 14, 21


def check(value):
    if value in (None, -1, (1 << 64) - 1):
        raise OSError(ctypes.get_errno(), 'failed')
    return value


def new(pages, flags=PRIVATE | ANONYMOUS, fd=-1, write=2):
    return check(libc.mmap(None, pages * PAGE, 1 | write, flags, fd, 0))


def bytes_at(address, pages):
    return (ctypes.c_char * (pages * PAGE)).from_address(address)


# --- page faults: what prepares them, with how many pages, returns what does them ------------------

def touch_fresh(address, pages):
    for i in range(pages):
        libc.memset(address + i * PAGE, 1, 1)


def fresh(pages):
    address = new(pages)
    libc.madvise(address, pages * PAGE, 15)  # NOHUGEPAGE
    return touch_fresh, address


def touch_shared(address, pages):
    for i in range(pages):
        libc.memset(address + i * PAGE, 1, 1)


def shared(pages):
    return touch_shared, new(pages, SHARED | ANONYMOUS)


def write_zero(address, pages):
    for i in range(pages):
        libc.memset(address + i * PAGE, 1, 1)


def zero(pages):
    """Read first: each page is the zero page, and a write a copy of it."""
    address = new(pages)
    libc.madvise(address, pages * PAGE, 15)
    sum(bytes_at(address, pages)[i * PAGE][0] for i in range(pages))
    return write_zero, address


def write_private(address, pages):
    for i in range(pages):
        libc.memset(address + i * PAGE, 1, 1)


def private(pages):
    return write_private, new(pages, PRIVATE, a_file(pages))


def write_forked(address, pages):
    for i in range(pages):
        libc.memset(address + i * PAGE, 1, 1)


def forked(pages):
    """The child that shares the pages lives until the end."""
    address = new(pages)
    libc.madvise(address, pages * PAGE, 15)
    libc.memset(address, 1, pages * PAGE)
    if not os.fork():
        ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG
        while True:
            signal.pause()
    return write_forked, address


def touch_huge(address, pages):
    for at in range(address, address + pages * PAGE, HUGE):
        libc.memset(at, 1, 1)


def huge(pages):
    pages = max(pages, 512)
    address = new(pages + 512)
    address = (address + HUGE - 1) // HUGE * HUGE
    libc.madvise(address, pages * PAGE, HUGEPAGE)
    return touch_huge, address


def touch_heap(address, pages):
    for i in range(pages):
        libc.memset(address + i * PAGE, 1, 1)


def heap(pages):
    """Memory of the break that malloc knows nothing of."""
    return touch_heap, (check(libc.sbrk((pages + 1) * PAGE)) + PAGE - 1) // PAGE * PAGE


def a_file(pages):
    folder = next(f for f in ('/var/tmp', '/root', '/') if os.path.isdir(f))  # a disk's, in any root
    path = os.path.join(folder, 'events-%d' % os.getpid())
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    os.unlink(path)
    block = os.urandom(PAGE)
    for i in range(pages):
        os.write(fd, block)
    os.fsync(fd)
    return fd


def read_file(address, pages):
    for i in range(pages):
        libc.memchr(ctypes.c_void_p(address + i * PAGE), 0, 1)


def cold(pages):
    """No page of it is in the page cache, and none is read ahead."""
    fd = a_file(pages)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    address = new(pages, SHARED, fd, 0)
    libc.madvise(address, pages * PAGE, 1)  # RANDOM
    return read_file, address


def map_some(times, pages):
    for i in range(times):
        kept.append(check(libc.mmap(None, pages * PAGE, 3, PRIVATE | ANONYMOUS, -1, 0)))


def map_shared(times, pages):
    for i in range(times):
        kept.append(check(libc.mmap(None, pages * PAGE, 3, SHARED | ANONYMOUS, -1, 0)))


def map_badly(times, pages):
    for i in range(times):
        assert libc.mmap(None, 0, 3, PRIVATE | ANONYMOUS, -1, 0) == (1 << 64) - 1


def unmap_some(times, pages):
    for i in range(times):
        check(libc.munmap(kept.pop(), pages * PAGE))


def remap_larger(times, pages):
    for i in range(times):
        kept[i] = check(libc.mremap(kept[i], pages * PAGE, 2 * pages * PAGE, 1))


def remap_smaller(times, pages):
    for i in range(times):
        kept[i] = check(libc.mremap(kept[i], 2 * pages * PAGE, pages * PAGE, 1))


def grow_break(times, pages):
    for i in range(times):
        check(libc.sbrk(pages * PAGE))


def shrink_break(times, pages):
    for i in range(times):
        check(libc.sbrk(-pages * PAGE))


def give_back(times, pages):
    for i in range(times):
        check(libc.madvise(kept[i], pages * PAGE, DONTNEED))


def give_lazily(times, pages):
    for i in range(times):
        check(libc.madvise(kept[i], pages * PAGE, FREE))


def ask_huge(times, pages):
    for i in range(times):
        check(libc.madvise(kept[i], pages * PAGE, HUGEPAGE))


def touch_in_turn(regions, pages):
    """More mappings than anybody remembers."""
    for i in range(pages):
        for address in regions:
            libc.memset(address + i * PAGE, 1, 1)


def many():
    regions = [new(ROUND, flags) for flags in (PRIVATE | ANONYMOUS, SHARED | ANONYMOUS) * 4]
    for address in regions[::2]:
        libc.madvise(address, ROUND * PAGE, 15)
    touch_in_turn(regions, ROUND)
    # other memory at the same address
    again = regions[0]
    assert libc.mmap(again, ROUND * PAGE, 3, SHARED | ANONYMOUS | 0x10, -1, 0) == again
    touch_shared(again, ROUND)
    assert libc.mmap(again, ROUND * PAGE, 3, PRIVATE | ANONYMOUS | 0x10, -1, 0) == again
    libc.madvise(again, ROUND * PAGE, 15)
    touch_fresh(again, ROUND)


kept = []
ROUND = 60
CALLS = [map_some, map_shared, map_badly, unmap_some, remap_larger, remap_smaller, give_back,
         give_lazily, ask_huge, grow_break, shrink_break]
# calls and pages of each; map_shared's are what unmap_some removes
ROUNDS = {'map_some': (20, 16), 'map_shared': (10, 8), 'map_badly': (5, 0), 'unmap_some': (10, 8),
          'remap_larger': (7, 16), 'remap_smaller': (7, 16), 'give_back': (9, 16),
          'give_lazily': (11, 16), 'ask_huge': (13, 16), 'grow_break': (6, 32),
          'shrink_break': (4, 32)}


def start_thread():
    t = threading.Thread(target=int)
    t.start()
    t.join()


def go_deep(depth):
    """map() is C's, and so is the stack that each level takes."""
    return depth and list(map(go_deep, [depth - 1]))


def stacks():
    start_thread()
    go_deep(400)


def calls():
    for f in CALLS:
        f(*ROUNDS[f.__name__])


def point():
    os.write(2, b'.')
    signal.pause()


def main():
    signal.signal(signal.SIGUSR1, lambda number, frame: None)
    if sys.argv[1] == 'calls':
        for f in CALLS:
            f(1 if f is not map_badly else 0, 1)  # what ctypes and the interpreter do the first time
        del kept[:]
        point()
        calls()
    elif sys.argv[1] == 'stacks':
        point()
        stacks()
    elif sys.argv[1] == 'many':
        many()
        point()
        many()
    else:
        prepare, pages = globals()[sys.argv[1]], int(sys.argv[2])
        touch, address = prepare(pages)
        warm, other = prepare(pages)
        warm(other, pages)
        point()
        touch(address, pages)
    point()


if __name__ == '__main__':
    main()
