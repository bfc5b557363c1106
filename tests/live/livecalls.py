# SPDX-License-Identifier: MIT
"""`calls` while it runs, its table as figures by function, and what must hold in it."""
import collections
import contextlib
import json
import os
import re
import signal

import livelib as live
from livestat import RSS_TOLERANCE
from livetarget import Target, rss, system_call

POLLS = (7, 232, 281)  # poll(2), epoll_wait(2), epoll_pwait(2) on x86-64
ESTIMATED = r'note: ((about|more than) .* calls/s|no function was entered)'
COUNTS = ('calls', 'resumes', 'returns', 'yields', 'unwinds', 'lost', 'open')
BYTES = ('growth', 'shrink', 'self', 'total', 'largest')
OTHERS = ('arenas', 'pools', 'self_ns', 'total_ns')
TARGETS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'targets')

Function = collections.namedtuple('Function', ('pid', 'name', 'file', 'first_line') + COUNTS +
                                  BYTES + OTHERS)


def source(name):
    with open(os.path.join(TARGETS, name)) as f:
        return f.read()


class Calls(live.Tool):
    """calls --format json. It counts when the with-block begins: behind its estimate of the cost."""

    def __init__(self, *args, **how):
        self.folder = live.scratch()
        self.path = os.path.join(self.folder.name, 'x.json')
        super().__init__('calls', '--format', 'json', '-o', self.path, *args, **how)

    def __enter__(self):
        try:
            live.wait_until(self._begun, '%s to begin' % ' '.join(self.args))
        except AssertionError as why:
            why = '%s; it is in system call %s, and said %r' % (why, system_call(self.pid), self.err())
            self.__exit__()
            raise AssertionError(why)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        super().__exit__(*exc)
        self.folder.cleanup()

    def _begun(self):
        assert self.process.poll() is None, '%s: status %s: %s' % (
            ' '.join(self.args), self.process.returncode, self.err())
        return re.search(ESTIMATED, self.err()) and system_call(self.pid) in POLLS

    def finish(self, signum=signal.SIGINT, status=0):
        """Ends it, by a signal or (None) by itself, and returns its table."""
        self.result = self.end(signum).ok(status)
        live.assert_equal(self.result.out, b'', 'stdout')
        return read(self.path)


@contextlib.contextmanager
def side_by_side(pid, *ways):
    """Several tools that watch the same process, each with options of its own; all begin at once."""
    with contextlib.ExitStack() as stack:
        tools = [Calls('-p', pid, *way) for way in ways]
        for tool in tools:
            stack.push(tool)
        for tool in tools:
            tool.__enter__()
        yield tools


def read(path):
    with open(path, encoding='utf-8') as f:
        return Table(json.load(f))


class Table:
    def __init__(self, doc):
        self.doc = doc
        live.assert_equal((doc['schema'], doc['kind']), ('pymemtrace-bpf/1', 'calls'), 'schema')
        self.functions = [function(f) for f in doc['functions']]

    def process(self, pid):
        found = [p for p in self.doc['processes'] if p['pid'] == pid]
        live.assert_equal(len(found), 1, 'entries of process %d' % pid)
        return found[0]

    def all(self, name, pid=None, file=None):
        """Those of that name; of a qualified name before 3.11 the last part will do."""
        return [f for f in self.functions if f.name == name and pid in (None, f.pid) and
                (file is None or f.file.endswith(file))]

    def one(self, name, pid=None, file=None):
        found = self.all(name, pid, file)
        live.assert_equal(len(found), 1, 'functions that are called %s' % name)
        return found[0]

    def sum(self, kind, pid=None):
        return sum(getattr(f, kind) for f in self.functions if pid in (None, f.pid))

    def causes(self, pid):
        return {name: live_change(c) for name, c in self.process(pid)['causes'].items()}

    def assert_adds_up(self, pid):
        """Functions, what is left out and causes are the change of RSS, to the byte."""
        of, causes = self.process(pid), self.causes(pid)
        known = self.sum('self', pid) + net(live_change(of['left_out']))
        known += sum(net(c) for c in causes.values())
        live.assert_equal(known, of['rss_after_bytes'] - of['rss_before_bytes'],
                          'functions and causes %r, and the change of RSS' % causes)
        for f in self.functions:
            live.assert_equal(f.self, f.growth - f.shrink, 'self of %s' % f.name)

    def assert_explained(self, pid, kernel=None):
        """... and nothing happened that no event told of; it ends as the kernel says."""
        self.assert_adds_up(pid)
        causes = self.causes(pid)
        if not self.doc['batched']:
            live.assert_equal(net(causes['unexplained']), 0, 'unexplained, of %r' % causes)
        if kernel is not None:
            # another tool's probes of the same interpreter take and give pages of its text
            figures = kernel, resident(pid)
            after = self.process(pid)['rss_after_bytes']
            assert min(figures) - RSS_TOLERANCE <= after <= max(figures) + RSS_TOLERANCE, (
                'RSS %d, the kernel says %r' % (after, figures))

    def assert_kept(self):
        """Nothing was lost that should have been counted."""
        live.assert_equal({k: v for k, v in self.doc['losses'].items() if v}, {}, 'losses')

    def assert_balanced(self):
        """What was entered has been left, or is open."""
        for f in self.functions:
            live.assert_equal(f.calls + f.resumes, f.returns + f.yields + f.unwinds + f.lost + f.open,
                              'entries and ends of %r' % (f,))


Change = collections.namedtuple('Change', 'growth shrink events')


def live_change(c):
    return Change(c['growth_bytes'], c['shrink_bytes'], c['events'])


def net(change):
    return change.growth - change.shrink


def function(f):
    """What was not measured is 0 in it."""
    return Function(f['pid'], f['name'] or '', f['file'] or '', f['first_line'],
                    *[f[k] or 0 for k in Function._fields[4:]])


def resident(pid):
    figures = rss(pid)
    return figures['anon_bytes'] + figures['file_bytes'] + figures['shmem_bytes']


# --- growth that is known by construction -------------------------------------------------------

STATM = 100
_head, _main, _ = source('growth.py').rpartition('main()\n')
GROWTH = _head + source('calls_growth.py') + '\n\n' + _main


def growing(interpreter, *steps):
    """targets/growth.py, which reads its own /proc/PID/statm: that is not there in every root."""
    return Target(interpreter, *steps, source=GROWTH, close_fds=False,
                  preexec_fn=lambda: os.dup2(os.open('/proc/self/statm', os.O_RDONLY), STATM))
