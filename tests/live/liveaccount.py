# SPDX-License-Identifier: MIT
"""Where the resident memory of a process is, as print_account tells it."""
import json
import os
import subprocess

import livelib as live

PRINTER = os.path.join(live.BUILD, 'print_account')
PAGE = 4096


class Account:
    """What print_account tells."""

    def __init__(self, pid, env=None):
        p = subprocess.run([PRINTER, str(pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           stdin=subprocess.DEVNULL, timeout=120, env=live.environment(env))
        assert p.returncode == 0, live.show(p.stderr)
        self.doc = json.loads(p.stdout.decode())
        self.rows = self.doc['rows']
        self.pools = self.doc['pools']

    def bytes(self, kind, name=None):
        return sum(row[2] for row in self.rows if row[0] == kind and name in (None, row[1]))

    def check(self):
        """The sums hold, to the byte."""
        live.assert_equal(sum(row[2] for row in self.rows), self.doc['total'], 'sum of the rows')
        live.assert_equal(self.doc['total'], self.doc['rollup'], 'sum of the pages')
        for row in self.rows:
            assert 0 < row[2] and 0 <= row[3] <= row[2] and 0 <= row[4] <= row[2], row
        return self
