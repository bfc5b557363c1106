# SPDX-License-Identifier: MIT
"""stat's JSON, read while it runs, and what must hold in it."""
import json
import os
import time

import livelib as live
from livetarget import rss


def _rss_tolerance():
    """How far a sleeping process' /proc/PID/status may be from the exact sums, in bytes.

    Since 6.2 ("mm: convert mm's rss stats into percpu_counter") status may leave out what CPUs
    hold back, until it sums (6.16, "mm: fix the inaccurate memory statistics issue for users");
    before, each thread held back up to 64 pages."""
    release = tuple(int(n) for n in os.uname().release.split('-')[0].split('.')[:2])
    if release >= (6, 16):
        return 0
    if release >= (6, 2):
        return max(32, 2 * os.cpu_count()) * os.cpu_count() * 4096
    return 64 * 66 * 4096


RSS_TOLERANCE = _rss_tolerance()


class Stat(live.Tool):
    """stat --format json."""

    def __init__(self, *args, **how):
        super().__init__('stat', '--format', 'json', *args, **how)
        self.docs = []
        self.returned = set()

    def doc(self):
        line = self.line()
        if line is None:
            return None
        try:
            doc = json.loads(line)
        except ValueError as why:
            raise AssertionError('not JSON (%s): %r' % (why, line))
        live.assert_equal(doc['schema'], 'pymemtrace-bpf/1', 'schema')
        self.docs.append(doc)
        return doc

    def state(self, wanted=lambda s: True):
        """A state that is wanted: the first not returned before, of those that came or will come."""
        def new(doc):
            return doc['kind'] == 'state' and id(doc) not in self.returned and wanted(doc)

        deadline = time.monotonic() + 60
        doc = next((d for d in self.docs if new(d)), None)
        while doc is None or not new(doc):
            assert time.monotonic() < deadline, '%s: no such state' % ' '.join(self.args)
            doc = self.doc()
            if doc is None:
                raise AssertionError('%s: ended without a state: %r' % (
                    ' '.join(self.args), self.err()))
        self.returned.add(id(doc))
        return doc

    def finish(self, signum=None, status=0):
        """Ends it and returns all its documents."""
        self.end(signum).ok(status)
        while self.doc() is not None:
            pass
        return self.docs


def total_of(docs, pid):
    """The last total of a process."""
    totals = [d for d in docs if d['kind'] == 'change' and d['total'] and d['pid'] == pid]
    assert totals, 'no total of %d in %r' % (pid, [d['kind'] for d in docs])
    return totals[-1]


def assert_quiet(doc):
    """No health line."""
    bad = {k: v for k, v in doc.get('health', {}).items() if v and k not in NO_LOSS}
    assert not bad, 'health: %r' % bad


# What is said in JSON, and is no health line.
NO_LOSS = ('moving', 'arenas_unsettled')
# What a busy target may cost: said, and no disagreement.
OF_BUSY_TARGETS = ('moving', 'arenas_torn', 'arenas_unsettled', 'pools_unread')


def assert_agrees(doc):
    """Events and state agree, however fast the target moves."""
    bad = {k: v for k, v in doc.get('health', {}).items() if v and k not in OF_BUSY_TARGETS}
    assert not bad, 'health: %r' % bad


def assert_close(ours, kernel, what):
    for kind in kernel:
        assert abs(ours[kind] - kernel[kind]) <= RSS_TOLERANCE, '%s: %s of %r, the kernel says %r' % (
            what, kind, {k: ours[k] for k in kernel}, kernel)


def assert_rss(ours, pid, what):
    assert_close(ours, rss(pid), what)
    live.assert_equal(ours['resident_bytes'], ours['anon_bytes'] + ours['file_bytes'] +
                      ours['shmem_bytes'], what + ': sum')


STEP = 32 * 4096  # bytes that a sample stands for


def assert_attributed(doc):
    """Functions and named causes add up to the change of RSS; of sampling, less than a few steps are left."""
    a, change = doc['attribution'], doc['rss_change']
    live.assert_equal(a['seen_bytes'], change['resident_bytes'], 'seen')
    live.assert_equal(a['attributed_bytes'] + a['unattributed_bytes'], a['seen_bytes'], 'sum')
    live.assert_equal(sum(c['growth_bytes'] - c['shrink_bytes'] for c in a['causes'].values()),
                      a['unattributed_bytes'], 'sum of causes')
    left = a['causes']['remainder']
    # at each end, in each direction
    assert left['growth_bytes'] + left['shrink_bytes'] < 4 * STEP, 'remainder: %r' % a
    for cause in ('walk_failed', 'table_full', 'record_lost', 'unexplained'):
        live.assert_equal(a['causes'][cause], dict.fromkeys(a['causes'][cause], 0), cause)


def assert_total(total, before, after, kernel):
    """A total between two points: accounts printed by the target, RSS as the kernel has it."""
    assert_quiet(total)
    live.assert_equal(total['arenas_taken_events'], after['arenas_total'] - before['arenas_total'],
                      'arenas taken')
    live.assert_equal(total['arenas_released_events'],
                      after['arenas_reclaimed'] - before['arenas_reclaimed'], 'arenas released')
    live.assert_equal(total['arenas_current'], after['arenas_current'], 'arenas')
    change = total['stats_change']['pymalloc']
    for key in ('arenas_total', 'arenas_current', 'allocated_bytes', 'available_bytes',
                'unused_pools', 'header_bytes'):
        live.assert_equal(change[key], after[key] - before[key], 'change of ' + key)
    for kind in total['rss_change']:
        live.assert_equal(total['rss_change'][kind],
                          total['rss_after'][kind] - total['rss_before'][kind], kind)
    assert_attributed(total)
    if kernel:
        assert_close(total['rss_after'], kernel, 'RSS at the end')
