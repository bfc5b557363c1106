# SPDX-License-Identifier: MIT
"""`record` while it runs, and its recording as figures by process, function and stack."""
import collections
import json
import os
import signal

import livelib as live

PAGE = 4096
# Causes that say that the tool could not keep what it saw.
LOSSES = ('walk_failed', 'table_full', 'record_lost')
KINDS = ('growth_bytes', 'shrink_bytes', 'events')

Frame = collections.namedtuple('Frame', 'kind name file first_line line')
Change = collections.namedtuple('Change', 'growth shrink events')


def net(change):
    return change.growth - change.shrink


class Record(live.Tool):
    """record -o FILE. It is attached, and has its first moment, when the with-block begins."""

    def __init__(self, *args, **how):
        self.folder = live.scratch()
        self.path = os.path.join(self.folder.name, 'x.pmt')
        super().__init__('record', '-o', self.path, *args, **how)

    def __enter__(self):
        try:
            live.wait_until(self._begun, 'the recording to begin')
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
        return os.path.exists(self.path) and os.path.getsize(self.path) > 0

    def finish(self, signum=signal.SIGINT, status=0):
        """Ends it, by a signal or (None) by itself, and returns what it recorded."""
        self.result = self.end(signum).ok(status)
        live.assert_in(r'next: pymemtrace-bpf report ', self.result.err, 'the last line')
        return read(self.path)


def read(path, *args):
    """A recording as `report` tells it."""
    result = live.run('report', path, '--format', 'json', *args).ok()
    return Profile(json.loads(live.show(result.out)))


class Profile:
    def __init__(self, doc):
        self.doc = doc
        live.assert_equal((doc['schema'], doc['kind']), ('pymemtrace-bpf/1', 'profile'), 'schema')
        names = [(f['kind'], f['name'], f['file'], f['first_line']) for f in doc['function_names']]
        self.stacks = [[Frame(*names[f], line) for f, line in s['frames']] for s in doc['stacks']]
        self.truncated = [s['truncated'] for s in doc['stacks']]
        self.threads = doc['threads']

    def pids(self):
        return [p['pid'] for p in self.doc['processes']]

    def process(self, pid):
        found = [p for p in self.doc['processes'] if p['pid'] == pid]
        live.assert_equal(len(found), 1, 'entries of process %d among %r' % (pid, self.pids()))
        return found[0]

    def rows(self, event='rss', pid=None):
        """(frames, row) of each; the leaf first."""
        return [(self.stacks[r['stack']], r) for r in self.doc['rows'] if r['event'] == event
                and pid in (None, self.threads[r['thread']]['pid'])]

    def sum(self, wanted, event='rss', pid=None):
        """Of the rows that are wanted(frames, row)."""
        rows = [r for frames, r in self.rows(event, pid) if wanted(frames, r)]
        return Change(*(sum(r[k] for r in rows) for k in KINDS))

    def own(self, name, event='rss', pid=None):
        """What the function did itself, also by C functions that it called."""
        def wanted(frames, row):
            leaf = python_leaf(frames)
            return leaf is not None and leaf.name == name
        return self.sum(wanted, event, pid)

    def total(self, name, event='rss', pid=None):
        """What it did and what it called did."""
        return self.sum(lambda frames, row: any(f.name == name for f in frames), event, pid)

    def by_own(self, event='rss', pid=None):
        """{function's name: Change}"""
        found = {}
        for frames, r in self.rows(event, pid):
            leaf = python_leaf(frames)
            name = leaf.name if leaf else None
            old = found.get(name, Change(0, 0, 0))
            found[name] = Change(*(o + r[k] for o, k in zip(old, KINDS)))
        return found

    def causes(self, pid, event='rss'):
        return {name: Change(*(c[k] for k in KINDS))
                for name, c in self.process(pid)['causes'][event].items()}

    def assert_adds_up(self, pid):
        """Stacks and causes are the change of RSS, to the byte."""
        of, causes = self.process(pid), self.causes(pid)
        known = net(self.sum(lambda frames, row: True, pid=pid)) + sum(map(net, causes.values()))
        live.assert_equal(known, of['rss_after_bytes'] - of['rss_before_bytes'],
                          'stacks and causes %r, and the change of RSS' % causes)

    def assert_explained(self, pid):
        """... and nothing happened that no event told of."""
        self.assert_adds_up(pid)
        causes = self.causes(pid)
        live.assert_equal(net(causes['unexplained']), 0, 'unexplained, of %r' % causes)
        if self.doc['exact']:
            live.assert_equal(causes['remainder'], Change(0, 0, 0), 'remainder')
        else:
            step = self.doc['step_pages'] * PAGE
            assert abs(net(causes['remainder'])) < 2 * step, 'remainder %r' % (causes['remainder'],)

    def assert_kept(self, pid, event='rss'):
        """Less than 0.1 % of the bytes were seen and not kept."""
        causes = self.causes(pid, event)
        seen = self.sum(lambda frames, row: True, event, pid)
        seen = seen.growth + seen.shrink + sum(c.growth + c.shrink for c in causes.values())
        lost = sum(causes[c].growth + causes[c].shrink for c in LOSSES)
        assert lost * 1000 <= seen, 'lost %d of %d bytes: %r' % (lost, seen, causes)


def python_leaf(frames):
    return next((f for f in frames if f.kind != 'native'), None)


def own_name(interpreter, qualified):
    """How a function is named: qualified since 3.11 (co_qualname), the plain name before."""
    return qualified if interpreter.minor >= (3, 11) else qualified.rpartition('.')[2]
