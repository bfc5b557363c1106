# SPDX-License-Identifier: MIT
"""Interpreters of this machine and target processes that run on them."""
import ctypes
import os
import re
import signal
import struct
import subprocess

import livelib as live

SCENARIOS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'targets', 'scenarios.py')
PAUSE = 34  # the number of pause(2) on x86-64
PR_SET_THP_DISABLE = 41

# Builds may (Debian's 3.15 does) ask for huge pages for their arenas, and khugepaged then fills the
# gaps of a process that sleeps: its RSS grows at any moment, and no two readings need agree. This is
# inherited by whatever is started from here, through fork and exec.
ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)

# What live requires: Debian's own builds. Any other interpreter is welcome, none is needed.
REQUIRED = ('system-3.11', 'trixie-3.13', 'forky-3.14', 'forky-3.15')

# In a guest of tests/kernels: what is there, as interpreters.sh prints it, whatever is asked for. Nothing
# else is required, and what is left behind goes with the guest, which has no setpriv either.
GIVEN = os.environ.get('PMT_INTERPRETERS')


class Interpreter:
    def __init__(self, name, root, path, version, shape):
        self.name, self.root, self.path, self.shape = name, root, path, shape
        self.version_text = version
        self.version = tuple(int(n) for n in re.findall(r'\d+', version)[:3])
        self.minor = self.version[:2]

    def command(self, *args, namespaces=False):
        """argv that runs it; the process dies with the thread that starts it."""
        argv = [self.path] + list(args)
        in_root = self.root != '/'
        if GIVEN:
            return argv
        if namespaces:
            start = ['unshare', '--pid', '--mount', '--fork', '--kill-child', '--mount-proc']
            if in_root:
                start.append('--root=' + self.root)
            return ['setpriv', '--pdeathsig', 'KILL'] + start + argv
        return ['setpriv', '--pdeathsig', 'KILL'] + (
            ['chroot', self.root] if in_root else []) + argv


def _list(*patterns):
    script = os.path.join(live.TOP, 'tests', 'tools', 'interpreters.sh')
    out = GIVEN or subprocess.run([script] + list(patterns), stdout=subprocess.PIPE,
                                  stdin=subprocess.DEVNULL, timeout=600).stdout.decode()
    found, missing = [], []
    for line in out.splitlines():
        if line.startswith('#missing '):
            missing.append(line.split(' ', 2)[1:])
        elif not line.startswith('#'):
            found.append(Interpreter(*line.split('\t')))
    return found, missing


_known = {}


def interpreters(*patterns):
    """(interpreters, [(name, why it is missing)]) whose names match; all without patterns."""
    if patterns not in _known:
        _known[patterns] = _list(*patterns)
    return _known[patterns]


def add_missing(cases, *patterns):
    """A case for each interpreter that is not here: it says why."""
    found, missing = interpreters(*patterns)
    names = [i.name for i in found] + [name for name, _ in missing]
    missing = missing + [(name, 'not found') for name in REQUIRED if name not in names
                         and not patterns and not GIVEN]

    def say(name, why):
        if name in REQUIRED:
            raise live.Skip(why)
        raise live.Absent(why)
    for name, why in missing:
        cases.add('%s' % name, say, name, why)


def one(*patterns):
    """The first interpreter that matches; a required one is Skip if it is missing, else Absent."""
    found, missing = interpreters(*patterns)
    if found:
        return found[0]
    why = '; '.join(' '.join(m) for m in missing) or 'no %s' % ' '.join(patterns)
    raise (live.Skip if set(patterns) & set(REQUIRED) else live.Absent)(why)


def debian():
    """Debian's own stripped 3.11, which every run has."""
    return one() if GIVEN else one('system-3.11')


def some(*patterns):
    """Those of a few interpreters that are here."""
    return interpreters(*patterns)[0]


def children(pid):
    found = []
    for name in os.listdir('/proc'):
        if name.isdigit():
            try:
                stat = live.proc(int(name), 'stat')
            except OSError:
                continue
            if int(stat.rpartition(b') ')[2].split()[1]) == pid:
                found.append(int(name))
    return found


def system_call(pid, tid=None):
    """Number of the system call that a thread is blocked in, or None."""
    try:
        return int(live.proc(pid, 'task/%d/syscall' % (tid or pid)).split()[0])
    except (OSError, ValueError):  # gone, or "running"
        return None


def blocked_threads(pid):
    """What each thread is blocked in, and how often it has given up its CPU; None if one runs."""
    found = {}
    for tid in os.listdir('/proc/%d/task' % pid):
        call = system_call(pid, int(tid))
        if call is None:
            return None
        try:
            text = live.proc(pid, 'task/%s/status' % tid)
        except OSError:
            return None
        found[tid] = call, re.findall(rb'ctxt_switches:\s*(\d+)', text)
    return found


class Target:
    """A process to look at. Ends with the with-block."""

    def __init__(self, interpreter, *args, source=None, env=None, flags=(), namespaces=False,
                 command=None, **popen):
        """Runs a scenario (args) of scenarios.py, or other source, or a whole command."""
        if command is None:
            if source is None:
                with open(SCENARIOS) as f:
                    source = f.read()
            command = interpreter.command(*flags, '-c', source, *args, namespaces=namespaces)
        self.interpreter = interpreter
        self.errors = __import__('tempfile').TemporaryFile()
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            env=live.environment(env), **popen)
        self.seen = 0  # bytes of stderr before the newest point
        self.pid = self.process.pid
        try:
            if namespaces:
                self.pid = live.wait_until(
                    lambda: self._alive() and children(self.process.pid), 'the child of unshare')[0]
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            if self.pid != self.process.pid:
                try:
                    os.kill(self.pid, signal.SIGKILL)
                except OSError:
                    pass
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()

    def err(self):
        return os.pread(self.errors.fileno(), 1 << 24, 0)

    def _alive(self):
        status = self.process.poll()
        assert status is None, 'the target ended with status %s: %s' % (
            status, live.show(self.err()[-800:]))
        return True

    def _blocked(self):
        """Twice the same, and none has run in between: a thread that waits for the GIL, which the
        main thread gives away as it blocks, is in a system call too, but not for long."""
        self._alive()
        if system_call(self.pid) != PAUSE:
            return False
        threads = blocked_threads(self.pid)
        return threads is not None and threads == blocked_threads(self.pid)

    def point(self, timeout=120):
        """Waits until it blocks at a point; returns what it printed since the one before."""
        live.wait_until(self._blocked, 'the target to block', timeout)
        text = self.err()
        new, self.seen = text[self.seen:], len(text)
        return new

    def next_point(self, timeout=120):
        """Sends it on from one point to the next."""
        before = self.seen
        os.kill(self.pid, signal.SIGUSR1)
        live.wait_until(lambda: self._alive() and len(self.err()) > before, 'the next point',
                        timeout)
        return self.point(timeout)

    def go_on(self):
        os.kill(self.pid, signal.SIGUSR1)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        self.process.wait()

    def line(self):
        """A line of its stdout."""
        return self.process.stdout.readline().decode().rstrip('\n')


def pretend_version(path, version_hex):
    """Writes another number into Py_Version (exported since 3.11), which only others read."""
    out = subprocess.run(['readelf', '-W', '-l', '--dyn-syms', path], stdout=subprocess.PIPE,
                         timeout=60).stdout.decode()
    address = next(int(l.split()[1], 16) for l in out.splitlines() if l.endswith(' Py_Version'))
    for line in out.splitlines():
        # LOAD           0x000000 0x0000000000400000 0x0000000000400000 0x01f7d0 0x01f7d0 R   0x1000
        words = line.split()
        if words[:1] != ['LOAD']:
            continue
        offset, start, _, size = (int(w, 16) for w in words[1:5])
        if start <= address < start + size:
            with open(path, 'r+b') as f:
                f.seek(address - start + offset)
                f.write(struct.pack('<Q', version_hex))
            return
    raise AssertionError('no segment of %s has Py_Version' % path)


# --- its own account, as numbers --------------------------------------------------------------

LINES = {
    'arenas_total': '# arenas allocated total', 'arenas_reclaimed': '# arenas reclaimed',
    'arenas_highwater': '# arenas highwater mark', 'arenas_current': '# arenas allocated current',
    'allocated_bytes': '# bytes in allocated blocks',
    'available_bytes': '# bytes in available blocks',
    'header_bytes': '# bytes lost to pool headers',
    'quantization_bytes': '# bytes lost to quantization',
    'arena_alignment_bytes': '# bytes lost to arena alignment',
}


def parse_account(text):
    """sys._debugmallocstats()' text as numbers, by other code than the tool's."""
    text = live.show(text)
    account = {'classes': {}, 'free_lists': [], 'totals': []}
    for line in text.splitlines():
        row = re.match(r'\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)$', line)
        value = re.match(r'(.*?)\s*=\s*([\d,]+)$', line)
        if row:
            index, size, pools, used, free = map(int, row.groups())
            account['classes'][index] = (size, pools, used, free)
        if not value:
            continue
        label, number = value.group(1), int(value.group(2).replace(',', ''))
        for key, name in LINES.items():
            if label == name:
                account[key] = number
        arenas = re.match(r'(\d+) arenas \* (\d+) bytes/arena', label)
        pools = re.match(r'(\d+) unused pools \* (\d+) bytes', label)
        free = re.match(r'\s*(\d+) free (.*)s \* (\d+) bytes each', label)
        if arenas:
            account['arena_bytes'] = int(arenas.group(2))
            account['arenas_times_size'] = number
        if pools:
            account['unused_pools'] = int(pools.group(1))
            account['pool_bytes'] = int(pools.group(2))
        if free:
            account['free_lists'].append((free.group(2), int(free.group(1)), int(free.group(3))))
        if label == 'Total':
            account['totals'].append(number)
    return account


RSS_LINES = {'anon_bytes': 'RssAnon', 'file_bytes': 'RssFile', 'shmem_bytes': 'RssShmem',
             'swap_bytes': 'VmSwap'}


def status_bytes(pid, *names):
    """Figures of /proc/PID/status in bytes."""
    text = live.proc(pid, 'status').decode()
    return tuple(int(re.search(r'^%s:\s*(\d+) kB' % n, text, re.M).group(1)) * 1024 for n in names)


def rss(pid):
    """RSS by kind as the kernel has it, by the tool's JSON names."""
    return dict(zip(RSS_LINES, status_bytes(pid, *RSS_LINES.values())))
