# SPDX-License-Identifier: MIT
"""What every live test is made of: cases and their report, waiting for conditions, the tool.

A case is a function. It passes by returning; AssertionError fails it, Skip and Absent say why it
could not run. tests/run.sh reads the lines; REQUIRE=live makes a Skip a failure, never an Absent.
"""
import concurrent.futures
import ctypes
import errno
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get('BUILD') or os.path.join(TOP, 'build')
BINARY = os.path.join(BUILD, 'pymemtrace-bpf')
CACHE = os.environ.get('PMT_CACHE') or '/var/cache/pymemtrace-bpf-tests'
WORKERS = 2
# we are in a guest of tests/kernels: swap, cgroups and the kernel's log are ours
OWN_KERNEL = bool(os.environ.get('PMT_OWN_KERNEL'))


class Skip(Exception):
    """This machine lacks something that the test needs."""


class Absent(Exception):
    """An optional subject that a machine need not have."""


class Cases:
    """Collects cases, runs them side by side, prints a line for each."""

    def __init__(self):
        self.cases = []
        self.bad = 0
        self.lock = threading.Lock()

    def add(self, name, function, *args):
        """An argument that is a function is called first, and may raise Skip or Absent."""
        self.cases.append((name, function, args))

    def one(self, function):
        """Decorator: the function's name, with blanks, is the case's."""
        self.add(function.__name__.replace('_', ' ').strip(), function)
        return function

    def _line(self, text, detail=''):
        with self.lock:
            print(text + ''.join('\n    # ' + l for l in detail.splitlines()), flush=True)

    def _run(self, name, function, args):
        if OWN_KERNEL:
            kernel_log('case %s' % name)
        try:
            function(*(a() if callable(a) else a for a in args))
            self._line('ok ' + name)
        except Skip as why:
            self._line('skip %s: %s' % (name, one_line(why)))
        except Absent as why:
            self._line('absent %s: %s' % (name, one_line(why)))
        except AssertionError as why:
            self._fail(name, str(why) or 'assertion failed')
        except Exception as why:  # a broken test is a failed test
            self._fail(name, '%s: %s' % (type(why).__name__, why))

    def _fail(self, name, why):
        self.bad += 1
        self._line('not ok %s: %s' % (name, one_line(why)), traceback.format_exc())

    def run(self, workers=WORKERS):
        """Runs all cases, or those that match the words on the command line; exits."""
        chosen = [c for c in self.cases
                  if all(re.search(word, c[0]) for word in sys.argv[1:])]
        if not os.access(BINARY, os.X_OK):
            print('skip all: there is no %s' % BINARY)
            sys.exit(0)
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            for case in chosen:
                pool.submit(self._run, *case)
        sys.exit(1 if self.bad else 0)


def kernel_log(text):
    """Beside what the kernel itself says: which case a warning belongs to, and when it began."""
    with open('/dev/kmsg', 'w') as log:
        log.write('<5>%s' % one_line(text))


def one_line(text, limit=300):
    text = ' | '.join(str(text).split('\n'))
    return text if len(text) <= limit else text[:limit] + '...'


def show(data):
    return data.decode('utf-8', 'backslashreplace') if isinstance(data, bytes) else str(data)


def assert_same(got, expected, what):
    """Equal texts, or the first line that differs."""
    if got == expected:
        return
    got, expected = show(got).splitlines(), show(expected).splitlines()
    for i in range(max(len(got), len(expected))):
        g = got[i] if i < len(got) else '(nothing)'
        e = expected[i] if i < len(expected) else '(nothing)'
        if g != e:
            raise AssertionError('%s, line %d of %d: %r, expected %r'
                                 % (what, i + 1, len(expected), g, e))
    raise AssertionError('%s: differs in line ends only' % what)


def assert_equal(got, expected, what):
    if got != expected:
        raise AssertionError('%s: %r, expected %r' % (what, got, expected))


def assert_in(needle, text, what):
    if not re.search(needle, show(text)):
        raise AssertionError('%s: no %r in %r' % (what, needle, show(text)))


def wait_until(condition, what, timeout=60):
    """Polls until condition() is true and returns its value."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError('waited %d s for %s' % (timeout, what))
        time.sleep(0.002)


def proc(pid, name):
    with open('/proc/%d/%s' % (pid, name), 'rb') as f:
        return f.read()


def stopped_threads(pid):
    """Threads of pid that a debugger or a signal has stopped."""
    stopped = []
    for tid in os.listdir('/proc/%d/task' % pid):
        state = proc(pid, 'task/%s/stat' % tid).rpartition(b') ')[2][:1]
        if state in b'tT':
            stopped.append(int(tid))
    return stopped


def scratch():
    """A temporary folder, removed at the end of a with-block."""
    return tempfile.TemporaryDirectory(prefix='pmt-live-')


# --- the tool ---------------------------------------------------------------------------------

def environment(extra=None):
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(('PYTHON', 'PYMEMTRACE', 'SUDO_'))}
    env['LC_ALL'] = 'C'
    env.update(extra or {})
    return env


class Result:
    def __init__(self, args, status, out, err):
        self.args, self.status, self.out, self.err = args, status, out, show(err)

    def ok(self, status=0):
        assert self.status == status, '%s: status %s, not %s: %s' % (
            ' '.join(map(show, self.args)), self.status, status, self.err or show(self.out))
        return self

    def sentence(self, pattern, status=1):
        """Failed, with one line of error (and perhaps of hint) that matches; nothing on stdout."""
        what = ' '.join(map(show, self.args))
        lines = self.err.splitlines()
        assert self.status == status, '%s: status %s, not %s: %s' % (
            what, self.status, status, self.err)
        errors = [l for l in lines if not l.startswith('hint: ')]
        assert len(errors) == 1 and len(lines) <= 2, '%s: not one sentence: %r' % (what, self.err)
        assert re.match(r'pymemtrace-bpf( \w+)?: ', errors[0]), '%s: %r' % (what, self.err)
        assert_in(pattern, self.err, what)
        return self


def run(*args, timeout=60, env=None, prefix=(), **popen):
    """Runs the tool to its end."""
    command = list(prefix) + [BINARY] + [str(a) for a in args]
    popen.setdefault('stdout', subprocess.PIPE)
    popen.setdefault('stdin', subprocess.DEVNULL)
    p = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment(env), **popen)
    try:
        out, err = p.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        p.kill()
        out, err = p.communicate()
        raise AssertionError('%s: no end after %d s: %s' % (' '.join(map(show, args)), timeout,
                                                            show(err)))
    return Result(args, p.returncode, out, err)


class Tool:
    """The tool while it runs: read line by line, signalled, checked for what it leaves behind."""

    def __init__(self, *args, env=None, prefix=(), **popen):
        self.args = [str(a) for a in args]
        self.started = time.monotonic()
        self.errors = tempfile.TemporaryFile()
        popen.setdefault('stdin', subprocess.DEVNULL)
        self.process = subprocess.Popen(
            list(prefix) + [BINARY] + self.args, stdout=subprocess.PIPE, stderr=self.errors,
            env=environment(env), **popen)
        self.pid = self.process.pid
        self.text = b''   # all of stdout so far
        self.taken = 0    # how much of it line() has handed out
        self.ids = set()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def err(self):
        """Also while it writes: it shares the file's position."""
        return show(os.pread(self.errors.fileno(), 1 << 24, 0))

    def _more(self, end):
        left = max(0, end - time.monotonic())
        if not select.select([self.process.stdout], [], [], left)[0]:
            raise AssertionError('%s: silent; so far %r and %r' % (
                ' '.join(self.args), show(self.text[-500:]), self.err()))
        more = os.read(self.process.stdout.fileno(), 1 << 16)
        self.text += more
        return bool(more)

    def line(self, timeout=60):
        """The next line, without its end; None at the end of the output."""
        end = time.monotonic() + timeout
        while True:
            at = self.text.find(b'\n', self.taken)
            if at >= 0:
                found = self.text[self.taken:at]
                self.taken = at + 1
                return show(found)
            if not self._more(end):
                return None

    def until(self, pattern, timeout=60):
        """The next line that matches."""
        end = time.monotonic() + timeout
        while True:
            line = self.line(max(0, end - time.monotonic()))
            if line is None:
                raise AssertionError('%s: ended without %r: %r and %r' % (
                    ' '.join(self.args), pattern, show(self.text[-500:]), self.err()))
            if re.search(pattern, line):
                return line

    def end(self, signum=None, timeout=60):
        """Reads to the end, perhaps after a signal; then nothing of its BPF objects may be left."""
        self.remember_bpf()
        if signum:
            os.kill(self.pid, signum)
        end = time.monotonic() + timeout
        while self._more(end):
            pass
        self.process.wait(timeout)
        self.assert_nothing_left()
        return Result(self.args, self.process.returncode, self.text, self.err())

    def remember_bpf(self):
        """Notes the BPF objects that it holds now, from the kernel's own account."""
        folder = '/proc/%d/fdinfo' % self.pid
        try:
            names = os.listdir(folder)
        except OSError:
            return self.ids
        for name in names:
            try:
                with open(os.path.join(folder, name), errors='replace') as f:
                    text = f.read()
            except OSError:
                continue
            for kind in BPF_GET_NEXT_ID:
                m = re.search(r'^%s_id:\s*(\d+)' % kind, text, re.M)
                # a link's fdinfo names its program too; a program's own has a tag
                if m and not (kind == 'prog' and 'link_id:' in text):
                    self.ids.add((kind, int(m.group(1))))
        return self.ids

    def assert_nothing_left(self):
        # programs and maps are freed after a grace period of RCU
        wait_until(lambda: not any(bpf_object_exists(k, i) for k, i in self.ids),
                   'the BPF objects of %s to go' % ' '.join(self.args))


BPF_GET_NEXT_ID = {'prog': 11, 'map': 12, 'link': 31}
BPF_LINK_GET_FD_BY_ID = 30
_libc = ctypes.CDLL(None, use_errno=True)


def bpf_object_exists(kind, number):
    """Asks the kernel (bpf(2), BPF_*_GET_NEXT_ID), which needs no other program, and holds nothing:
    a prog_array that is opened, and closed, while the kernel empties it stays for ever, for its next
    last user counts once more what is done once (prog_array_map_clear of 6.18)."""
    return next_bpf_id(kind, number - 1) == number


def next_bpf_id(kind, number):
    """The least that is greater, or None."""
    attr = (ctypes.c_uint32 * 4)(number)
    if not _libc.syscall(321, BPF_GET_NEXT_ID[kind], attr, 16):
        return attr[1]
    if ctypes.get_errno() != errno.ENOENT:
        raise OSError(ctypes.get_errno(), 'the next BPF %s' % kind)
    return None


def probed_bytes(pid):
    """Bytes of pid's program text that differ from its files: the breakpoints of uprobes."""
    different = 0
    with open('/proc/%d/mem' % pid, 'rb', 0) as mem:
        for line in proc(pid, 'maps').decode('utf-8', 'surrogateescape').splitlines():
            m = re.match(r'(\w+)-(\w+) r-xp (\w+) \S+ (\d+) ', line)
            if not m or m.group(4) == '0':
                continue
            start, end, offset = (int(x, 16) for x in m.group(1, 2, 3))
            with open('/proc/%d/map_files/%x-%x' % (pid, start, end), 'rb', 0) as f:
                expected = os.pread(f.fileno(), end - start, offset)
            for at in range(0, len(expected), 4096):
                page = os.pread(mem.fileno(), len(expected[at:at + 4096]), start + at)
                want = expected[at:at + 4096]
                if page != want:
                    different += sum(a != b for a, b in zip(page, want))
    return different


def uprobe_links():
    """The BPF links that hold uprobes now, whosoever they are."""
    found, number = set(), 0
    while (number := next_bpf_id('link', number)) is not None:
        fd = _libc.syscall(321, BPF_LINK_GET_FD_BY_ID, (ctypes.c_uint32 * 4)(number), 16)
        if fd < 0:
            continue
        try:
            # link_type:	uprobe_multi; perf: a uprobe of the older kind, or another event
            if re.search(rb'link_type:\s*(uprobe_multi|perf)', proc(os.getpid(), 'fdinfo/%d' % fd)):
                found.add(number)
        finally:
            os.close(fd)
    return found


def undisturbed(case, *args):
    """Runs it, and again as long as it fails and somebody's uprobes came or went meanwhile: they are
    copied pages in every process that maps the file."""
    for attempts_left in range(4, -1, -1):
        links = uprobe_links()
        try:
            return case(*args)
        except AssertionError:
            if not attempts_left or uprobe_links() == links:
                raise


def wait_restored(pid, timeout=30, most=300):
    """Its text is as in the file again. A probe is set wherever the file is mapped: as long as any
    tool (of another case, of another user of the machine) holds one, there is nothing to tell."""
    now = time.monotonic()
    last, end = now + most, now + timeout
    while probed_bytes(pid):
        now = time.monotonic()
        if uprobe_links():
            end = min(now + timeout, last)
        assert now < end, 'its text was not restored within %d s' % timeout
        time.sleep(0.02)
