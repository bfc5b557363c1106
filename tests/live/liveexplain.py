# SPDX-License-Identifier: MIT
"""`explain` as documents and as a table, and what must hold in every one of them."""
import json
import re

import livelib as live
from livetarget import status_bytes

MARKS = {'heap': ('heap_', 'arena_', 'mmapped')}


def rollup(pid):
    """The kernel's own sums, bytes by name."""
    text = live.proc(pid, 'smaps_rollup').decode()
    return {k: int(v) * 1024 for k, v in re.findall(r'^(\w+):\s+(\d+) kB$', text, re.M)}


class Explanation:
    """One document."""

    def __init__(self, doc):
        self.doc = doc
        self.rows = doc['rows']
        self.total = doc['resident_bytes']

    def bytes(self, *kinds):
        """Of these kinds; "py_" is all that begin so."""
        return sum(r['bytes'] for r in self.rows
                   if r['kind'].startswith(tuple(kinds)))

    def check(self, kernel=None):
        """The rows sum up, and kernel (rollup(), while it stands still) says the same."""
        live.assert_equal(self.doc['kind'], 'explanation', 'kind')
        live.assert_equal(sum(r['bytes'] for r in self.rows), self.total, 'sum of the rows')
        for r in self.rows:
            assert r['bytes'] > 0, r
            assert 0 <= r['huge_bytes'] <= r['bytes'] and 0 <= r['exclusive_bytes'] <= r['bytes'], r
        if kernel:
            live.assert_equal(self.total, kernel['Rss'], 'the sum, and Rss of smaps_rollup')
        return self


def explain(pid, *args, status=0, **how):
    """One reading, its sums checked."""
    result = live.run('explain', '-p', pid, '--format', 'json', *args, **how).ok(status)
    return Explanation(json.loads(live.show(result.out))).check()


def still(pid, *args, **how):
    """The same of a process that stands still: it agrees with the kernel, and is no approximation."""
    e = explain(pid, *args, **how)
    e.check(rollup(pid))
    live.assert_equal(e.doc['approximate'], False, 'approximate: %s' % e.doc['approximate_why'])
    return e


ROW = re.compile(r'^( *)(\S.*?)  +([\d,]+)  +(\d+\.\d)\b')


def table(text):
    """[(indent, name, bytes)] of the printed table, its last row the sum."""
    rows = []
    for line in text.splitlines():
        m = ROW.match(line)
        if m:
            rows.append((len(m.group(1)), m.group(2), int(m.group(3).replace(',', ''))))
        if rows and rows[-1][1].startswith('resident pages'):
            break
    return rows


def vm_rss(pid):
    return status_bytes(pid, 'VmRSS')[0]
