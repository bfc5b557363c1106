# SPDX-License-Identifier: MIT
"""Kernel events in a guest: what needs a cgroup2 mount, memory.high, swap, or a process that is killed.

The guest is ours alone: it gets a swap file and a hierarchy of version 2.
"""
import ctypes
import os
import signal

import liveevents
import livelib as live
from liverecord import PAGE, Record
from livetarget import Interpreter, Target, status_bytes

CGROUPS = '/sys/fs/cgroup'
SWAP = '/swapfile'
SWAP_MIB = 64
PAGES = 3000
KINDS = ('swap-out', 'swap-in', 'reclaim')
_libc = ctypes.CDLL(None, use_errno=True)

# Memory that nobody else has anything of: 3000 pages are 12 MiB.
EATING = '''
import ctypes, mmap, os, signal, sys
PAGES, PAGE = %d, 4096
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
def new(pages):
    m = libc.mmap(None, ctypes.c_size_t(pages * PAGE), 3, 0x22, -1, ctypes.c_long(0))
    libc.madvise(m, pages * PAGE, 15)  # MADV_NOHUGEPAGE
    return m
def eat(m, pages):
    for i in range(pages): libc.memset(ctypes.c_void_p(m + i * PAGE), 1 + i %% 200, 64)
def page_out(m, pages):
    assert not libc.madvise(m, pages * PAGE, 21)  # MADV_PAGEOUT
def drop_one(m, pages):
    eat(fresh, 1)
    libc.munmap(ctypes.c_void_p(one), ctypes.c_size_t(PAGE))
def read_again(m, pages):
    for i in range(pages): libc.memchr(ctypes.c_void_p(m + i * PAGE), 0, 1)
def point():
    os.write(2, b'.')
    signal.pause()
signal.signal(signal.SIGUSR1, lambda *a: None)
m = new(PAGES)
eat(m, PAGES), page_out(m, 1), read_again(m, 1)
one, fresh = new(1), new(1)
eat(one, 1), page_out(one, 1)
point()
for step in sys.argv[1:]:
    if step == 'eat':
        eat(new(PAGES), PAGES)
    elif step == 'unmap':
        libc.munmap(ctypes.c_void_p(m), ctypes.c_size_t(PAGES * PAGE))
    elif step != 'wait':
        globals()[step](m, PAGES)
    point()
''' % PAGES


def mount_cgroup2():
    os.makedirs(CGROUPS, exist_ok=True)
    if not os.path.exists(CGROUPS + '/cgroup.controllers'):
        if _libc.mount(b'none', CGROUPS.encode(), b'cgroup2', 0, None):
            raise AssertionError('mount cgroup2: ' + os.strerror(ctypes.get_errno()))
    put('', 'cgroup.subtree_control', '+memory')


class Swap:
    """A swap file, in use within the with-block."""

    def __enter__(self):
        if not os.path.exists(SWAP):
            make_swap_file()
        if _libc.swapon(SWAP.encode(), 0):
            raise AssertionError('swapon: ' + os.strerror(ctypes.get_errno()))

    def __exit__(self, *exc):
        _libc.swapoff(SWAP.encode())


def make_swap_file():
    """Zeros without holes; its header is what mkswap would write."""
    header = bytearray(PAGE)
    header[1024:1036] = b''.join(n.to_bytes(4, 'little')
                                 for n in (1, SWAP_MIB * 256 - 1, 0))  # version, last page, bad pages
    header[-10:] = b'SWAPSPACE2'
    with open(SWAP, 'wb') as f:
        f.write(header)
        f.write(bytes(PAGE) * (SWAP_MIB * 256 - 1))
        os.fchmod(f.fileno(), 0o600)
        os.fsync(f.fileno())


def put(group, name, value):
    with open(os.path.join(CGROUPS, group, name), 'w') as f:
        f.write(str(value))


def events_of(group):
    """memory.events: "high 12" and so on."""
    with open(os.path.join(CGROUPS, group, 'memory.events')) as f:
        return {name: int(n) for name, n in (line.split() for line in f)}


class Group:
    """A memory cgroup; gone at the end of the with-block."""

    def __init__(self, name, **limits):
        self.name, self.limits = name, limits

    def __enter__(self):
        mount_cgroup2()
        os.mkdir(os.path.join(CGROUPS, self.name))
        for name, value in self.limits.items():
            put(self.name, 'memory.' + name.replace('_', '.'), value)
        return self

    def add(self, pid):
        put(self.name, 'cgroup.procs', pid)

    def __exit__(self, *exc):
        def empty():
            with open(os.path.join(CGROUPS, self.name, 'cgroup.procs')) as f:
                return not f.read()
        live.wait_until(empty, 'the cgroup to be left')
        os.rmdir(os.path.join(CGROUPS, self.name))


class Bare(Interpreter):
    """Without the programs of util-linux, which a guest need not have."""

    def command(self, *args, **how):
        return [self.path] + list(args)


def eating(python, *steps):
    return Target(python, *steps, source=EATING)


def everything(profile, event, pid):
    """(by stacks, by no stack)"""
    causes = profile.causes(pid, event)
    return profile.sum(lambda frames, row: True, event, pid), {
        c: v for c, v in causes.items() if v.events}


def swap_of(pid):
    return status_bytes(pid, 'VmSwap')[0]


def swapped(python, batch):
    """It pages out what it has, and reads it again: to the page, as the kernel has it in VmSwap."""
    with Swap(), eating(python, 'page_out', 'read_again', 'page_out', 'unmap', 'drop_one') as t:
        t.point()
        with Record('-p', t.pid, '--event', 'swap,reclaim,fault') as tool:
            figures = [swap_of(t.pid)]
            for step in range(5):
                t.next_point()
                figures.append(swap_of(t.pid))
            profile = tool.finish()
    out, back, again, gone, last = (b - a for a, b in zip(figures, figures[1:]))
    assert out >= PAGES * PAGE * 9 // 10 and back <= -out * 9 // 10, 'VmSwap: %r' % figures
    found = {e: profile.own('page_out', e, t.pid) for e in KINDS}
    assert abs(found['swap-out'].shrink - (out + again)) <= batch, 'out %r, VmSwap %r' % (found, figures)
    assert abs(found['reclaim'].shrink - (out + again)) <= batch, 'taken %r, VmSwap %r' % (found, figures)
    live.assert_equal(found['swap-in'].events, 0, 'back while it pages out')
    found = {e: profile.own('read_again', e, t.pid) for e in KINDS}
    assert abs(found['swap-in'].growth + back) <= batch, 'back %r, VmSwap %r' % (found, figures)
    live.assert_equal((found['swap-out'].events, found['reclaim'].events), (0, 0), 'while it reads')
    # what it gives back unread has not come back, be it right behind a page that is new
    assert gone < 0 and abs(last + PAGE) <= batch, 'VmSwap: %r' % figures
    total = everything(profile, 'swap-in', t.pid)[0]
    assert abs(total.growth + back) <= batch, 'all that came back: %r, VmSwap %r' % (total, figures)
    # minor ones are of pages that the kernel has kept, or has read ahead
    faults = sum(profile.own('read_again', 'fault-' + kind, t.pid).events
                 for kind in ('major', 'minor'))
    assert abs(faults * PAGE + back) <= batch, '%d faults, VmSwap %r' % (faults, figures)


def reclaimed(python, batch):
    """Somebody else takes its pages (memory.reclaim): they are of no stack of its own."""
    with Swap(), Group('reclaimed') as group, eating(python, 'wait') as t:
        t.point()
        group.add(t.pid)
        t.next_point()
        with eating(python, 'eat') as other:
            other.point()
            group.add(other.pid)
            other.next_point()  # charged here, that there is something to reclaim
            with Record('-p', other.pid, '--event', 'swap,reclaim,pressure') as tool:
                before = swap_of(other.pid)
                try:
                    put('reclaimed', 'memory.reclaim', '8M')
                except OSError:
                    pass  # it took less
                out = swap_of(other.pid) - before
                profile = tool.finish()
    assert out > 1 << 20, 'swapped %d bytes' % out
    for event in ('swap-out', 'reclaim'):
        own, causes = everything(profile, event, other.pid)
        live.assert_equal((own.events, set(causes)), (0, {'other_task'}), event)
        if event == 'swap-out':
            assert abs(causes['other_task'].shrink - out) <= batch, '%r, VmSwap %d' % (causes, out)
    live.assert_equal(everything(profile, 'pressure-cgroup', other.pid)[0].events, 0, 'its own reclaim')


def held_back(python, batch):
    """memory.high: it reclaims for itself, and the cgroup counts how often it was above."""
    with Swap(), Group('high', high=4 << 20) as group, eating(python, 'eat') as t:
        t.point()
        group.add(t.pid)
        with Record('-p', t.pid, '--event', 'swap,reclaim,pressure,cgroup') as tool:
            before = events_of('high')
            t.next_point()
            after = events_of('high')
            profile = tool.finish()
        high = after['high'] - before['high']
        assert high > 0, 'memory.events: %r' % after
        own = profile.own('eat', 'pressure-cgroup', t.pid)
        assert own.events > 0 and own.shrink > 1 << 20, 'reclaim in eat(): %r' % (own,)
        taken = profile.own('eat', 'swap-out', t.pid)
        assert taken.shrink > 1 << 20, 'swapped by eat(): %r' % (taken,)
        causes = profile.causes(t.pid, 'cgroup-high')
        live.assert_equal(causes['no_stack'].events, high, 'memory.high, of %r' % after)


def killed(python, batch):
    """The kernel kills it in the very function that asks for too much; the recording ends whole."""
    with Group('killed', max=20 << 20) as group, eating(python, 'eat', 'eat') as t:
        t.point()
        group.add(t.pid)
        with Record('-p', t.pid, '--event', 'rss,oom,pressure,cgroup') as tool:
            t.next_point()
            t.go_on()
            t.process.wait(60)
            profile = tool.finish(None)
        live.assert_equal(t.process.returncode, -signal.SIGKILL, 'how it ended')
        live.assert_equal(events_of('killed')['oom_kill'], 1, 'oom_kill')
    own, causes = everything(profile, 'oom', t.pid)
    live.assert_equal((own.events, causes), (1, {}), 'victims')
    found = profile.own('eat', 'oom', t.pid)
    assert found.events == 1 and 16 << 20 < found.shrink < 64 << 20, 'in eat(): %r' % (found,)
    assert profile.own('eat', 'pressure-cgroup', t.pid).events > 0, 'reclaim before the end'
    assert profile.process(t.pid)['ended'], 'it has not ended'
    profile.assert_adds_up(t.pid)


def add(cases, series, python, batch):
    """batch: bytes that this kernel keeps back of each counter, in each thread."""
    python = Bare(python.name, python.root, python.path, python.version_text, python.shape)
    for step, function, event, memory in liveevents.TOUCHED:
        cases.add('%s: events %s' % (series, step), liveevents.faults, python, step, function, event,
                  memory)
    cases.add('%s: events huge' % series, liveevents.huge, python)
    cases.add('%s: events calls' % series, liveevents.calls, python)
    cases.add('%s: events many' % series, liveevents.many, python)
    cases.add('%s: events stacks' % series, liveevents.stacks, python)
    for case in (swapped, reclaimed, held_back, killed):
        cases.add('%s: events %s' % (series, case.__name__.replace('_', ' ')), case, python, batch)
