# SPDX-License-Identifier: MIT
"""What print_sites says of a process."""
import os
import re
import subprocess

import livelib as live

PRINTER = os.path.join(live.BUILD, 'print_sites')


class Site:
    def __init__(self, line):
        self.name, self.role, offset, self.text, how, shared = line.split('\t')
        self.offset = int(offset, 16)
        self.emulated, self.shared = how == 'emulated', bool(shared)


def printed(pid, expect=0):
    """A dictionary; with expect=1 the reason why there is none."""
    p = subprocess.run([PRINTER, str(pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       stdin=subprocess.DEVNULL, timeout=120, env=live.environment())
    live.assert_equal(p.returncode, expect, live.show(p.stderr))
    if expect:
        return live.show(p.stderr)
    lines = p.stdout.decode().splitlines()
    m = re.match(r'(initialised|not initialised); clears: (\d), holder: (\w+), shims: (\w+)-(\w+), '
                 r'frame argument: (\d), opcodes:(.*)', lines[-1])
    info = dict(zip(('state', 'clears', 'holder', 'shims_start', 'shims_end', 'frame_arg'),
                    [m.group(1)] + [int(x, 0) for x in m.groups()[1:6]]))
    info['ops'] = {int(n): int(b, 16) for n, b in (w.split(':') for w in m.group(7).split())}
    info['sites'] = [Site(line) for line in lines[:-1]]
    return info
