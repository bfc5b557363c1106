#!/usr/bin/python3 -B
# SPDX-License-Identifier: MIT
"""Writes the table of docs/entry-and-exit.md: where entry and exit are probed in every interpreter."""
import os
import re
import sys

import livelib as live
from livesites import printed
from livetarget import Target, interpreters

DOC = os.path.join(live.TOP, 'docs', 'entry-and-exit.md')
START = '<!-- table: written by tests/live/sites_table.py -->\n'
HEAD = '| interpreter | entry | exit |\n|---|---|---|\n'


def cell(sites):
    """RESUME `je`, RESUME_CHECK `jne`; what stands in one function is named once."""
    words, last = [], None
    for s in sites:
        text = '`%s`' % re.sub(r'\s+0x\w+$', '', s.text)
        text += ('' if s.emulated else ' *single-stepped*') + (' *shared*' if s.shared else '')
        words.append(text if s.name == last else '%s %s' % (s.name, text))
        last = s.name
    return ', '.join(words)


def row(interpreter):
    with Target(interpreter, source='import signal\nsignal.pause()') as t:
        t.point()
        sites = printed(t.pid)['sites']
    entry = [s for s in sites if s.role in ('enter', 'resume', 'resume-check')]
    return cell(entry), cell([s for s in sites if s not in entry])


def main():
    rows = []  # [names, cells]: those alike in one row
    for each in sorted(interpreters()[0], key=lambda i: (i.version, i.name)):
        cells = row(each)
        same = [r for r in rows if r[1] == cells and r[2] == each.version]
        if same:
            same[0][0].append(each.name)
        else:
            rows.append([[each.name], cells, each.version])
    table = HEAD + ''.join('| %s | %s | %s |\n' % ((', '.join(names),) + cells)
                           for names, cells, _ in rows)
    with open(DOC) as f:
        text = f.read()
    before, _, rest = text.partition(START)
    behind = rest[rest.index('\n\n'):] if '\n\n' in rest else '\n'
    with open(DOC, 'w') as f:
        f.write(before + START + table.rstrip('\n') + behind)
    return 0


sys.exit(main())
