# SPDX-License-Identifier: MIT
"""What the kernel counts of a process that a reader of its memory could change."""
import re

import livelib as live
from livetarget import PAUSE, status_bytes, system_call

WAIT4 = 61  # the number of wait4(2) on x86-64


def fingerprint(pid):
    """Everything the kernel counts that a reader could change."""
    stat = live.proc(pid, 'stat').rpartition(b') ')[2].split()
    seen = {'minflt': int(stat[7]), 'majflt': int(stat[9])}
    for name in ('VmRSS', 'RssAnon', 'RssFile', 'RssShmem', 'VmSwap', 'VmPTE', 'VmData'):
        seen[name] = status_bytes(pid, name)[0]
    for line in live.proc(pid, 'smaps_rollup').decode().splitlines():
        m = re.match(r'(\w+):\s+(\d+) kB', line)
        if m:
            seen['rollup ' + m.group(1)] = int(m.group(2)) * 1024
    return seen


# Set by who else maps a page or by the kernel's own ageing, at any time.
OTHERS = ('rollup Referenced', 'rollup Pss', 'rollup Pss_Dirty', 'rollup Pss_File',
          'rollup Shared_Clean', 'rollup Private_Clean', 'rollup Pss_Anon', 'rollup Pss_Shmem')


def assert_untouched(before, after, what, exact_pss):
    """Every figure the same. Another process can come to map the same files: then the shares of
    file pages move, and what must not have changed is each sum."""
    changed = {k: (before[k], after[k]) for k in before
               if before[k] != after.get(k) and not (k in OTHERS and not exact_pss)}
    changed.pop('rollup Referenced', None)
    assert not changed, '%s changed: %r' % (what, changed)
    for kind in ('Clean', 'Dirty'):
        live.assert_equal(after['rollup Shared_' + kind] + after['rollup Private_' + kind],
                          before['rollup Shared_' + kind] + before['rollup Private_' + kind],
                          '%s: Shared + Private %s' % (what, kind))


def anon_pages():
    with open('/proc/meminfo') as f:
        return int(re.search(r'AnonPages:\s+(\d+)', f.read()).group(1)) * 1024


def forked_child(parent):
    child = int(parent.line())
    # the parent too: what it still writes would un-share the child's pages
    live.wait_until(lambda: system_call(child) == PAUSE and system_call(parent.pid) == WAIT4,
                    'parent and child to block')
    return child
