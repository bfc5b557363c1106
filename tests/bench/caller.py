# SPDX-License-Identifier: MIT
"""`calls` of one process, as the measurements need it: when it counts, what its program took, and the
same with its hits only counted."""
import ctypes
import json
import os
import signal
import struct
import time

import benchlib as bench
from benchlib import live

PROGRAM = 'on_call_site'
BPF_MAP_UPDATE = 2  # bpf(2)


class Caller(live.Tool):
    """Entered when it counts."""

    def __init__(self, pid, *args):
        super().__init__('calls', '-q', '-p', pid, '--format', 'json', *args)
        self.target = pid

    def __enter__(self):
        self.bss = live.wait_until(self._bss, 'calls to load its programs')
        live.wait_until(lambda: self._variable('collecting'), 'calls to count')
        self.attach_ms = (time.monotonic() - self.started) * 1e3
        return self

    def _bss(self):
        assert self.process.poll() is None, 'calls: %s: %s %s' % (self.process.poll(), self.err(), self.text)
        return next((n for name, n in bench.map_ids(self.pid).items() if name.endswith('.bss')), None)

    def _variable(self, name):
        assert self.process.poll() is None, 'calls: %s: %s %s' % (self.process.poll(), self.err(), self.text)
        (row,) = json.loads(bench.bpftool('map', 'dump', 'id', str(self.bss)))
        (section,) = row['formatted']['value'].values()
        return next(v[name] for v in section if name in v)

    def only_count(self):
        """As during the estimate: hits are counted, and nothing else. The target must not run."""
        info = json.loads(bench.bpftool('map', 'show', 'id', str(self.bss)))
        types = json.loads(bench.bpftool('btf', 'dump', 'id', str(info['btf_id'])))['types']
        names = {t['id']: t['name'] for t in types if t['kind'] == 'VAR'}
        (section,) = [t for t in types if t['kind'] == 'DATASEC' and t['name'] == '.bss']
        (at,) = [v['offset'] for v in section['vars'] if names[v['type_id']] == 'collecting']
        fd = bench.bpf(bench.BPF_MAP_FD_BY_ID, self.bss)
        key, value = ctypes.c_uint32(0), ctypes.create_string_buffer(info['bytes_value'])
        words = ctypes.addressof(key), ctypes.addressof(value)
        assert bench.bpf(bench.BPF_MAP_LOOKUP, fd, *words) == 0, 'reading .bss'
        struct.pack_into('I', value, at, 0)
        assert bench.bpf(BPF_MAP_UPDATE, fd, *words) == 0, 'writing .bss'
        os.close(fd)

    def account(self):
        """(runs, ns) of the program at the sites, so far."""
        return bench.bpf_accounts(self.pid)[PROGRAM]

    def table(self):
        """Ends it."""
        return json.loads(self.end(signal.SIGINT).ok().out)
