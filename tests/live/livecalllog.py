# SPDX-License-Identifier: MIT
"""Logs of calls (`calls --log`): read strictly, and those that cPyMemTrace wrote likewise."""
import collections
import json
import os
import re
import signal
import stat

import livelib as live

HEADER = ['SOF', 'HDR: %-12s %-6s  %-12s %-8s %-80s %4s %-32s %12s %12s' % (
    'Event', 'dEvent', 'Clock', 'What', 'File', 'Line', 'Function', 'RSS', 'dRSS')]
NAME = re.compile(r'\d{8}_\d{6}_(\d+)_(\d+)_(\d+)_P_0_PY([^_]+)\.(log|jsonl)$')
COLUMNS = 'kind event devent clock what file line function rss drss'
PAGE = 4096

Line = collections.namedtuple('Line', COLUMNS)
# What two logs of one program have in common.
Row = collections.namedtuple('Row', 'what function file line')


def row(line):
    return Row(line.what, line.function, line.file, line.line)


def text_of(line):
    """As it must stand in the file, to the character."""
    return '%s: %-12d +%-6d %-12.6f %-8s %-80s %4d %-32s %12d %12d' % line


def parse(text, what):
    """A line of text; names have no blanks in them here."""
    words = text.split()
    assert len(words) == 10, '%s: not a line: %r' % (what, text)
    line = Line(words[0][:-1], int(words[1]), int(words[2]), float(words[3]), words[4], words[5],
                int(words[6]), words[7], int(words[8]), int(words[9]))
    live.assert_equal(text, text_of(line), what)
    return line


def read_text(path, kinds=('FRST', 'NEXT', 'PREV', 'LAST')):
    with open(path, newline='') as f:
        lines = f.read().split('\n')
    what = os.path.basename(path)
    live.assert_equal(lines[:2], HEADER, what + ': its header')
    live.assert_equal(lines[-2:], ['EOF', ''], what + ': its end')
    parsed = [parse(text, what) for text in lines[2:-2]]
    assert {l.kind for l in parsed} <= set(kinds), '%s: %r' % (what, parsed)
    return parsed


def read_json(path):
    with open(path, newline='') as f:
        docs = [json.loads(line) for line in f]
    for doc in docs:
        live.assert_equal(sorted(doc), sorted(COLUMNS.split()), 'members')
    return [Line(**doc) for doc in docs]


def assert_rules(lines, threshold, what):
    """What cPyMemTrace's own log keeps to, from one line to the next."""
    assert [l.kind for l in lines[:1] + lines[-1:]] == ['FRST', 'LAST'], '%s: %r' % (what, lines)
    newest, reported = lines[0], 0
    live.assert_equal((newest.event, newest.devent, newest.drss), (0, 0, newest.rss),
                      what + ': FRST')
    again = None
    for line in lines[1:]:
        assert line.clock >= newest.clock, '%s: the clock goes back: %r' % (what, line)
        if line.kind == 'PREV':
            live.assert_equal(line._replace(kind=newest.kind), newest, what + ': PREV')
            again = line
            continue
        live.assert_equal((line.devent, line.drss),
                          (line.event - newest.event, line.rss - reported), '%s: %r' % (what, line))
        if line.kind == 'LAST':
            live.assert_equal(again, None, what + ': PREV before LAST')
            break
        live.assert_equal(line.kind, 'NEXT', what)
        live.assert_equal(again is not None, line.devent > 1, '%s: PREV before %r' % (what, line))
        assert line.devent > 0 and abs(line.drss) >= threshold, '%s: %r' % (what, line)
        newest, reported, again = line, line.rss, None
    assert line is lines[-1], '%s: lines after LAST' % what
    if not threshold:
        live.assert_equal([l.event for l in lines[:-1]], list(range(len(lines) - 1)), what)


def events(lines):
    """Each event once: LAST is the newest again, perhaps one that was not written."""
    return [l for l in lines if l.kind in ('FRST', 'NEXT')]


def regions(lines, what):
    """Lists of what happened between each begin() and end()."""
    found, inside = [], None
    for line in lines:
        if (line.what, line.function) == ('RETURN', 'begin'):
            assert inside is None, '%s: begin() in a region' % what
            inside = []
        elif (line.what, line.function) == ('CALL', 'end'):
            assert inside is not None, '%s: end() without begin()' % what
            found.append(inside)
            inside = None
        elif inside is not None:
            inside.append(line)
    assert inside is None, '%s: no end()' % what
    return found


class CallLog(live.Tool):
    """calls --log. The directory is gone after the with-block."""

    def __init__(self, *args, threshold=0, **how):
        self.folder = live.scratch()
        self.threshold = threshold
        self.path = os.path.join(self.folder.name, 'logs')
        own = ['--log', self.path]
        if threshold is not None:
            own += ['--threshold', threshold]
        self.threshold = PAGE if threshold is None else threshold
        super().__init__('calls', *(own + list(args)), **how)

    def __exit__(self, *exc):
        super().__exit__(*exc)
        self.folder.cleanup()

    def wait_heard(self, knock):
        """Knocks until a log is there: from here on, whatever happens is written."""
        def heard():
            assert self.process.poll() is None, '%s: status %s: %s' % (
                ' '.join(self.args), self.process.returncode, self.err())
            if os.path.isdir(self.path) and os.listdir(self.path):
                return True
            knock()
            return False
        live.wait_until(heard, 'the first line of a log')

    def read(self, pid, version):
        """[lines] of each thread, in the order in which they came to be seen."""
        found = {}
        for name in os.listdir(self.path):
            m = NAME.match(name)
            assert m, 'a log is called %r' % name
            path = os.path.join(self.path, name)
            live.assert_equal((int(m.group(2)), m.group(4)), (pid, version), name)
            live.assert_equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, name + ': mode')
            lines = read_json(path) if m.group(5) == 'jsonl' else read_text(path)
            assert_rules(lines, self.threshold, name)
            assert int(m.group(1)) not in found, 'two logs of one ordinal: %s' % name
            found[int(m.group(1))] = lines
        live.assert_equal(sorted(found), list(range(len(found))), 'ordinals')
        return [found[i] for i in sorted(found)]

    def finish(self, pid, version, signum=signal.SIGINT):
        self.result = self.end(signum).ok()
        return self.read(pid, version)
