# SPDX-License-Identifier: MIT
"""A target for tests/live/test_account: python3 -c SOURCE SCENARIO, on any CPython from 3.6.

Prints one line of JSON about itself where it says so, then its allocator's account on stderr, and
blocks in pause(2). SIGUSR1 sends it on.
"""
import json
import mmap
import os
import signal
import sys
import tempfile

PAGE = 4096


def say(**what):
    sys.stdout.write(json.dumps(what) + '\n')
    sys.stdout.flush()


def point():
    d = sys._debugmallocstats
    p = signal.pause
    d()
    p()


def touch(area, pages, byte=b'x'):
    for i in range(pages):
        area[i * PAGE:i * PAGE + 1] = byte


def a_file(pages):
    """Not on a tmpfs if it can be helped: the test says where."""
    f = tempfile.NamedTemporaryFile(prefix='pmt-mapped-', dir=os.environ.get('MAPPED_DIR'))
    f.write(b'y' * pages * PAGE)
    f.flush()
    return f


def mappings():
    """Of each kind one, with so and so many pages touched."""
    anonymous = mmap.mmap(-1, 64 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    touch(anonymous, 11)
    shared = mmap.mmap(-1, 64 * PAGE)
    touch(shared, 13)
    f = a_file(64)
    copied = mmap.mmap(f.fileno(), 64 * PAGE, flags=mmap.MAP_PRIVATE)
    for i in range(64):
        copied[i * PAGE]
    touch(copied, 17)
    mapped = mmap.mmap(f.fileno(), 64 * PAGE)
    for i in range(64):
        mapped[i * PAGE]
    shm = tempfile.NamedTemporaryFile(prefix='pmt-shm-', dir=os.environ['SHM_DIR'])
    shm.truncate(64 * PAGE)
    in_shm = mmap.mmap(shm.fileno(), 64 * PAGE)
    touch(in_shm, 19)
    kept = [anonymous, shared, copied, mapped, in_shm]
    memfd = None
    if hasattr(os, 'memfd_create'):
        memfd = os.memfd_create('pmt memfd')
        os.ftruncate(memfd, 64 * PAGE)
        kept.append(mmap.mmap(memfd, 64 * PAGE))
        touch(kept[-1], 23)
    say(file=os.path.basename(f.name), shm=os.path.basename(shm.name), memfd=memfd is not None)
    point()
    return kept


def survivors():
    """Few of many lists stay; then they go too, but nothing else is given back."""
    made = [[i] for i in range(400000)]
    kept = made[::60]
    del made
    point()
    for i in range(len(kept)):
        kept[i] = None
    del i  # an int, which may be the only block of an arena
    point()
    return kept


def large():
    """Of libc's malloc and of other allocators."""
    kept = [bytearray(100000) for i in range(300)]
    small = [bytearray(1000) for i in range(3000)]
    point()
    return kept, small


def frames(n=3000):
    if n:
        return frames(n - 1)
    point()


def deep():
    sys.setrecursionlimit(10000)
    frames()


signal.signal(signal.SIGUSR1, lambda number, frame: None)
globals()[sys.argv[1]]()
