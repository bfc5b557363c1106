# SPDX-License-Identifier: MIT
"""Kernel events of programs that do a known number of them: what test_events and guests check."""
import ctypes
import os

import livelib as live
from liverecord import PAGE, Record
from livetarget import PR_SET_THP_DISABLE, Target

with open(os.path.join(live.TOP, 'tests', 'live', 'targets', 'events.py')) as f:
    SOURCE = f.read()
PAGES = 500
HUGE = 2 << 20
_libc = ctypes.CDLL(None)
FAULTS = ('fault-minor', 'fault-major', 'fault-cow', 'fault-huge')


def allow_huge_pages():
    _libc.prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0)


def target(interpreter, *args, **how):
    return Target(interpreter, *map(str, args), source=SOURCE, **how)


def faults_of(pid):
    """minflt and majflt of /proc/PID/stat."""
    words = live.proc(pid, 'stat').rpartition(b') ')[2].split()
    return int(words[7]), int(words[9])


def recorded(interpreter, events, *args):
    with target(interpreter, *args) as t:
        t.point()
        with Record('-p', t.pid, '--event', events) as tool:
            before = faults_of(t.pid)
            t.next_point()
            after = faults_of(t.pid)
            profile = tool.finish()
        return profile, t.pid, tuple(b - a for a, b in zip(before, after))


def memories(profile, name, event):
    return {r['memory'] for frames, r in profile.rows(event) if frames[0].name == name}


# step, function, event, kind of memory
TOUCHED = [('fresh', 'touch_fresh', 'fault-minor', 'anon'),
           ('shared', 'touch_shared', 'fault-minor', 'shmem'),
           ('zero', 'write_zero', 'fault-cow', 'anon'),
           ('private', 'write_private', 'fault-cow', 'file'),
           ('forked', 'write_forked', 'fault-cow', 'anon'),
           ('heap', 'touch_heap', 'fault-minor', 'heap'),
           ('cold', 'read_file', 'fault-major', 'file')]


def faults(interpreter, step, function, event, memory):
    """One fault for each page, of its kind and no other; and all kinds together are the kernel's count."""
    profile, pid, kernel = recorded(interpreter, 'fault', step, PAGES)
    found = {e: profile.own(function, e, pid) for e in FAULTS}
    live.assert_equal(found[event][:2], (PAGES * PAGE, 0), 'bytes of %s, of %r' % (event, found))
    live.assert_equal(found[event].events, PAGES, 'faults')
    live.assert_equal({e for e in FAULTS if found[e].events}, {event}, 'kinds of faults')
    live.assert_equal(memories(profile, function, event), {memory}, 'memory')
    assert_kernels(profile, pid, kernel)


def assert_kernels(profile, pid, kernel):
    """All kinds together, with what is of no stack, are the kernel's own count of its faults."""
    seen = {e: profile.sum(lambda frames, row: True, e, pid).events +
            sum(c.events for c in profile.causes(pid, e).values()) for e in FAULTS}
    live.assert_equal((sum(seen.values()) - seen['fault-major'], seen['fault-major']), kernel,
                      'faults, less those that are major, and these, of %r' % seen)
    for event in FAULTS:
        profile.assert_kept(pid, event)


def huge(interpreter):
    with open('/sys/kernel/mm/transparent_hugepage/enabled') as f:
        if '[never]' in f.read():
            raise live.Absent('no huge pages here')
    with target(interpreter, 'huge', 4 * 512, preexec_fn=allow_huge_pages) as t:
        t.point()
        with Record('-p', t.pid, '--event', 'fault') as tool:
            before = faults_of(t.pid)
            t.next_point()
            kernel = tuple(b - a for a, b in zip(before, faults_of(t.pid)))
            profile = tool.finish()
    found = {e: profile.own('touch_huge', e, t.pid) for e in FAULTS}
    live.assert_equal(found['fault-huge'], (4 * HUGE, 0, 4), 'of %r' % found)
    live.assert_equal({e for e in FAULTS if found[e].events}, {'fault-huge'}, 'kinds of faults')
    live.assert_equal(memories(profile, 'touch_huge', 'fault-huge'), {'anon'}, 'memory')
    assert_kernels(profile, t.pid, kernel)


# function: event, calls, pages that came and went in each, kind of memory; as in targets/events.py
CALLS = {
    'map_some': ('mmap', 20, 16, 0, 'anon'),
    'map_shared': ('mmap', 10, 8, 0, 'shmem'),
    'unmap_some': ('munmap', 10, 0, 8, 'shmem'),
    'remap_larger': ('mremap', 7, 16, 0, 'anon'),
    'remap_smaller': ('mremap', 7, 0, 16, 'anon'),
    'give_back': ('madvise-dontneed', 9, 0, 16, 'anon'),
    'give_lazily': ('madvise-free', 11, 0, 16, 'anon'),
    'ask_huge': ('madvise-hugepage', 13, 16, 0, 'anon'),
    'grow_break': ('brk', 6, 32, 0, 'heap'),
    'shrink_break': ('brk', 4, 0, 32, 'heap'),
}


def calls(interpreter):
    """Every call counts once, if it succeeded, in its function and as what it is."""
    events = sorted({c[0] for c in CALLS.values()})
    profile, pid, _ = recorded(interpreter, ','.join(events), 'calls')
    found = {(name, e): c for e in events for name, c in profile.by_own(e, pid).items()}
    expected = {(name, e): (came * n * PAGE, went * n * PAGE, n)
                for name, (e, n, came, went, memory) in CALLS.items()}
    live.assert_equal(found, expected, 'calls')
    for name, call in CALLS.items():
        live.assert_equal(memories(profile, name, call[0]), {call[-1]}, 'memory of ' + name)
    for e in events:
        live.assert_equal({c for c in profile.causes(pid, e).values() if c.events}, set(),
                          '%s of no stack' % e)


def many(interpreter):
    """In many mappings in turn, and in one that becomes another: each fault has its memory."""
    profile, pid, kernel = recorded(interpreter, 'fault', 'many')
    found = {}
    for frames, r in profile.rows('fault-minor', pid):
        key = frames[0].name, r['memory']
        found[key] = found.get(key, 0) + r['events']
    touched = {k: n for k, n in found.items() if k[0].startswith('touch_')}
    live.assert_equal(touched, {('touch_in_turn', 'anon'): 4 * 60, ('touch_in_turn', 'shmem'): 4 * 60,
                                ('touch_shared', 'shmem'): 60, ('touch_fresh', 'anon'): 60},
                      'faults')
    assert_kernels(profile, pid, kernel)


def stacks(interpreter):
    """The main thread's stack grows by faults; another's is a mapping that says so."""
    profile, pid, _ = recorded(interpreter, 'fault,mmap', 'stacks')
    deep = [r for frames, r in profile.rows('fault-minor', pid)
            if any(f.name == 'go_deep' for f in frames) and r['memory'] == 'stack']
    assert sum(r['events'] for r in deep) >= 10, 'faults in the stack: %r' % deep
    thread = [r for frames, r in profile.rows('mmap', pid)
              if any(f.name == 'start_thread' for f in frames) and r['memory'] == 'stack']
    live.assert_equal(sum(r['events'] for r in thread), 1, 'stacks mapped')
