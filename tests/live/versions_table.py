#!/usr/bin/python3 -B
# SPDX-License-Identifier: MIT
"""Writes docs/versions.md: every interpreter there is, looked at by the tool."""
import json
import os
import signal
import sys

import livelib as live
from livetarget import Target, interpreters, parse_account

HEAD = '''# Versions and shapes

Written by `make docs-versions` (tests/live/versions_table.py) from the interpreters of one machine: pyenv's builds, copies of
them with only `.dynsym` in a root of their own, Debian's stripped builds of several suites in roots of their own, debug builds.
`snapshot`: the text equals the process's own `sys._debugmallocstats()`, byte for byte. `events`: arenas and pools counted by
probes during 20 MB of growth, and the arenas equal the process's own counters.

| interpreter | CPython | build | layout | allocator | snapshot | arena events | pool events |
|---|---|---|---|---|---|---|---|
'''

NOT_TRIED = '''
## Not tried here

| what | what is known |
|---|---|
| uv (python-build-standalone) | stripped, static, LTO and PGO like Debian's, which are tried; its patch releases are used if every invariant holds, and output says so. BOLT moves code, not state. Not tried. |
| conda-forge | static, usually with symbols; as above. Not tried. |
| Alpine (musl) | pymalloc's state does not depend on libc; the thread that holds the GIL is told by its fs register, as in glibc. Tried with a 3.11.2 built by musl-gcc, where all commands work (`explain`: malloc's memory is one row); not on Alpine's own builds. |
| free-threaded (3.13t and later) | no pymalloc; recognised by its file, named, RSS watched. Not tried on a live process. |
| aarch64 | not supported: offsets and the decoder are x86-64's. |
| other patch releases | layout of the nearest measured release of the same minor version, validated on the live process; `--strict` refuses. |
'''


def row(python):
    with Target(python, 'one_class') as t:
        expected = t.point()
        result = live.run('snapshot', '-p', t.pid).ok()
        same = 'equal' if result.out == expected else 'DIFFERS'
        with live.Tool('-p', t.pid, '-i', '60', '--format', 'json') as tool:
            state = json.loads(tool.until('"kind"'))
            after = parse_account(t.next_point())
            total = json.loads(live.show(tool.end(signal.SIGINT).ok().out).splitlines()[-1])
    who = state['python']
    if 'arenas_taken_events' in total:
        change = after['arenas_total'] - parse_account(expected)['arenas_total']
        arenas = 'equal' if total['arenas_taken_events'] == change else 'DIFFER'
        if any(v for k, v in total['health'].items() if k not in ('moving', 'arenas_unsettled')):
            arenas = 'health line'
    else:
        arenas = 'none: no pymalloc'
    pools = ('counted' if 'pools_taken_events' in total else
             'from state: no symbol' if 'pools_net_from_state' in total else 'none: no pymalloc')
    build = python.shape + (', debug' if who['debug_build'] and python.shape != 'debug' else '')
    return [python.name, who['version'], build, who['layout'], who['allocator'], same, arenas, pools]


def main():
    found, missing = interpreters()
    rows = []
    for python in sorted(found, key=lambda i: (i.version, i.name)):
        try:
            rows.append(row(python))
        except AssertionError as why:
            rows.append([python.name, python.version_text, python.shape, '', '', live.one_line(why, 80),
                         '', ''])
        print(' | '.join(rows[-1]), flush=True)
    text = HEAD + ''.join('| %s |\n' % ' | '.join(r) for r in rows)
    if missing:
        text += '\nNot on that machine: %s.\n' % ', '.join(sorted(name for name, _ in missing))
    with open(os.path.join(live.TOP, 'docs', 'versions.md'), 'w') as f:
        f.write(text + NOT_TRIED)
    return 0 if all(r[5] == 'equal' for r in rows) else 1


sys.exit(main())
