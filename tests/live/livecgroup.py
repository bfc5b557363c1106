# SPDX-License-Identifier: MIT
"""Memory cgroups of the tests' own, version 1 or 2, and programs in them.

On a machine of others they are made below the cgroup that the test is in (version 1), or where the
controller is handed on to (version 2): what limits the test goes on to limit them. In a kernel of its own
(PMT_OWN_KERNEL, the guests of tests/kernels) a hierarchy of version 2 is mounted where there is none.
"""
import ctypes
import itertools
import os
import re
import subprocess
import sys

import livelib as live

MIB = 1 << 20
FILES = {
    1: {'usage': 'memory.usage_in_bytes', 'limit': 'memory.limit_in_bytes',
        'peak': 'memory.max_usage_in_bytes', 'kernel': 'memory.kmem.usage_in_bytes',
        'events_max': 'memory.failcnt'},
    2: {'usage': 'memory.current', 'limit': 'memory.max', 'peak': 'memory.peak',
        'high': 'memory.high', 'swap_usage': 'memory.swap.current',
        'swap_limit': 'memory.swap.max'},
}
KEYS = {
    1: {'anon': ('memory.stat', 'total_rss'), 'file': ('memory.stat', 'total_cache'),
        'shmem': ('memory.stat', 'total_shmem'),
        'file_inactive': ('memory.stat', 'total_inactive_file'),
        'swap_usage': ('memory.stat', 'total_swap'),
        'events_oom_kill': ('memory.oom_control', 'oom_kill')},
    2: {'anon': ('memory.stat', 'anon'), 'file': ('memory.stat', 'file'),
        'kernel': ('memory.stat', 'kernel'), 'shmem': ('memory.stat', 'shmem'),
        'file_inactive': ('memory.stat', 'inactive_file'),
        'events_high': ('memory.events', 'high'), 'events_max': ('memory.events', 'max'),
        'events_oom': ('memory.events', 'oom'),
        'events_oom_kill': ('memory.events', 'oom_kill'),
        'pressure_some_us': ('memory.pressure', r'some.* total='),
        'pressure_full_us': ('memory.pressure', r'full.* total=')},
}
V1_NO_LIMIT = (1 << 63) - 4096
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count()


def mount(source, point, kind, options=None):
    if _libc.mount(source.encode(), point.encode(), kind.encode(), 0, (options or '').encode()):
        raise OSError(ctypes.get_errno(), 'mount %s' % point)


def _own_paths():
    """{1: path or None, 2: path or None} of this process."""
    found = {1: None, 2: None}
    for line in live.show(live.proc(os.getpid(), 'cgroup')).splitlines():
        _, names, path = line.split(':', 2)
        if 'memory' in names.split(','):
            found[1] = path
        elif not names:
            found[2] = path
    return found


def _mount_points():
    """[(version, root, point)] of hierarchies that may have the controller."""
    found = []
    for line in live.show(live.proc(os.getpid(), 'mountinfo')).splitlines():
        words, _, last = line.partition(' - ')
        root, point = words.split()[3:5]
        kind, _, options = last.split()[:3]
        if kind == 'cgroup2':
            found.append((2, root, point))
        elif kind == 'cgroup' and 'memory' in options.split(','):
            found.append((1, root, point))
    return found


def read(path):
    with open(path) as f:
        return f.read()


def write(path, text):
    with open(path, 'w') as f:
        f.write(str(text))


def _place():
    """(version, folder, path) where cgroups can be made, all three; or Absent."""
    own = _own_paths()
    if own[1] is None and not any(v == 2 for v, _, _ in _mount_points()) and live.OWN_KERNEL:
        mount('cgroup2', '/sys/fs/cgroup', 'cgroup2')
        own = _own_paths()  # of what was never mounted there is none
    for version, root, point in _mount_points():
        path = own[version]
        if own[1] is not None and version == 2 or path is None or '..' in path or root != '/':
            continue
        if version == 2:
            # processes and children with controllers are not for the same cgroup: beside our own
            path = os.path.dirname(path)
        folder = point + path.rstrip('/')
        if version == 2 and 'memory' not in read(folder + '/cgroup.controllers').split():
            continue
        try:
            if version == 2 and 'memory' not in read(folder + '/cgroup.subtree_control').split():
                write(folder + '/cgroup.subtree_control', '+memory')
            probe = folder + '/pmt-probe-%d' % os.getpid()
            os.mkdir(probe)
            os.rmdir(probe)
        except OSError as why:
            raise live.Absent('no cgroup can be made below %s: %s' % (folder, why))
        return version, folder, path.rstrip('/')
    raise live.Absent('there is no memory cgroup here that others could be made below')


_found = []


def place():
    if not _found:
        try:
            _found.append(_place())
        except live.Absent as why:
            _found.append(why)
    if isinstance(_found[0], Exception):
        raise _found[0]
    return _found[0]


class Cgroup:
    """One of our own, below where they can be made or below another; gone with the with-block.
    bare: in version 2, without the controller, so that the one above has its memory."""

    def __init__(self, above=None, bare=False, name='', **limits):
        self.version, folder, path = place()
        if above:
            folder, path = above.folder, above.path
            if self.version == 2 and not bare:
                write(folder + '/cgroup.subtree_control', '+memory')
        name = '/pmt-%d-%d%s' % (os.getpid(), next(_numbers), name)
        self.folder, self.path = folder + name, path + name
        self.programs = []
        os.mkdir(self.folder)
        for name, value in limits.items():
            self.set(name, value)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for p in self.programs:
            p.__exit__()
        live.wait_until(lambda: not read(self.folder + '/cgroup.procs'), 'the cgroup to be empty')
        os.rmdir(self.folder)

    def set(self, name, value):
        write('%s/%s' % (self.folder, FILES[self.version].get(name, name)), value)

    def enter(self, pid=0):
        """pid, or whoever calls it."""
        write(self.folder + '/cgroup.procs', pid)

    def _number(self, name, pattern=r''):
        try:
            text = read('%s/%s' % (self.folder, name))
        except OSError:
            return None
        m = re.search(r'^%s *(\d+|max)$' % pattern, text, re.M)
        if not m:
            return None
        return -1 if m.group(1) == 'max' or int(m.group(1)) >= V1_NO_LIMIT else int(m.group(1))

    def figures(self):
        """What the kernel's files say, as print_cgroup calls it; None: no such file."""
        found = {key: self._number(name) for key, name in FILES[self.version].items()}
        for key, (name, pattern) in KEYS[self.version].items():
            found[key] = self._number(name, pattern)
        return found


class SwapFile:
    """So many bytes of swap while the with-block lasts; on a kernel of its own only."""

    def __init__(self, size):
        if not live.OWN_KERNEL:
            raise live.Absent('a swap file is for a kernel of its own')
        self.folder = live.scratch()
        self.path = os.path.join(self.folder.name, 'swap')
        with open(self.path, 'wb') as f:
            for at in range(0, size, MIB):
                f.write(bytes(MIB))
        os.chmod(self.path, 0o600)
        for tool in 'mkswap', 'swapon':
            subprocess.run([tool, self.path], check=True, stdout=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        subprocess.run(['swapoff', self.path], check=True)
        self.folder.cleanup()


PROGRAM = r"""
import mmap, sys, time
kept, files = [], []
for line in sys.stdin:
    what, number = line.split()
    if what == 'alloc':
        kept.append(mmap.mmap(-1, int(number), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        for at in range(0, int(number), 4096): kept[-1][at] = 1
    elif what == 'file':
        with open(sys.argv[1], 'wb') as f:
            for at in range(0, int(number), 65536): f.write(bytes(65536))
    elif what == 'free':
        kept.clear()
    elif what == 'grow':  # bytes a second, by the clock, until they are 'number' in all
        begun, had = time.monotonic(), 0
        while had < int(number):
            due = min(int((time.monotonic() - begun) * int(sys.argv[1])), int(number))
            if due - had >= 65536 or due == int(number) > had:
                kept.append(mmap.mmap(-1, due - had, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
                for at in range(0, due - had, 4096): kept[-1][at] = 1
                had = due
            time.sleep(0.005)
    print(what, flush=True)
"""


class Program:
    """Does as it is told, in a cgroup from its first page on."""

    def __init__(self, cgroup, *args, first=None, oom_score=0, command=None):
        def enter():
            write('/proc/self/oom_score_adj', oom_score)
            cgroup.enter()
            if first:
                first()
        self.process = subprocess.Popen(
            command or [sys.executable, '-S', '-E', '-c', PROGRAM] + [str(a) for a in args],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=enter)
        self.pid = self.process.pid
        cgroup.programs.append(self)

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def tell(self, what, number=0):
        self.process.stdin.write(('%s %d\n' % (what, number)).encode())
        self.process.stdin.flush()

    def do(self, what, number=0):
        """And waits until it is done."""
        self.tell(what, number)
        live.assert_equal(self.process.stdout.readline().decode().strip(), what, 'its answer')
        return self
