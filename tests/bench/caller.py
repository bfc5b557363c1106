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

    place = None  # of the variable that says so, in .bss: the same in every run

    def __init__(self, pid, *args):
        super().__init__('calls', '-q', '-p', pid, '--format', 'json', *args)
        self.target = pid

    def __enter__(self):
        number = live.wait_until(self._bss, 'calls to load its programs')
        if not Caller.place:
            Caller.place = find_variable(number, 'collecting')
        self.bss = Variable(number, *Caller.place)
        live.wait_until(self._counts, 'calls to count')
        self.attach_ms = (time.monotonic() - self.started) * 1e3
        return self

    def __exit__(self, *exc):
        super().__exit__(*exc)
        self.bss.close()

    def _bss(self):
        assert self.process.poll() is None, 'calls: %s' % self.err()
        return next((n for name, n in bench.map_ids(self.pid).items() if name.endswith('.bss')), None)

    def _counts(self):
        assert self.process.poll() is None, 'calls: %s' % self.err()
        return self.bss.get()

    def only_count(self):
        """As during the estimate: hits are counted, and nothing else. The target must not run."""
        self.bss.set(0)

    def program(self):
        """The file that tells of the program at the sites."""
        return bench.bpf_programs(self.pid)[PROGRAM]

    def table(self):
        """Ends it. What it leaves in the kernel is no matter here: that goes when RCU has the time."""
        os.kill(self.pid, signal.SIGINT)
        while self.line() is not None:
            pass
        status = self.process.wait()
        assert status == 0, 'calls: status %d: %s' % (status, self.err())
        return json.loads(self.text)


def find_variable(number, name):
    """(size of .bss, the variable's offset there), by the map's number."""
    info = json.loads(bench.bpftool('map', 'show', 'id', str(number)))
    types = json.loads(bench.bpftool('btf', 'dump', 'id', str(info['btf_id'])))['types']
    names = {t['id']: t['name'] for t in types if t['kind'] == 'VAR'}
    (section,) = [t for t in types if t['kind'] == 'DATASEC' and t['name'] == '.bss']
    (at,) = [v['offset'] for v in section['vars'] if names[v['type_id']] == name]
    return info['bytes_value'], at


class Variable:
    """A __u32 of .bss."""

    def __init__(self, number, size, at):
        self.fd, self.at = bench.bpf(bench.BPF_MAP_FD_BY_ID, number), at
        self.value = ctypes.create_string_buffer(size)
        self.key = ctypes.c_uint32(0)

    def _call(self, command):
        done = bench.bpf(command, self.fd, ctypes.addressof(self.key),
                         ctypes.addressof(self.value))
        assert done == 0, '.bss of calls: bpf(%d)' % command

    def get(self):
        self._call(bench.BPF_MAP_LOOKUP)
        return struct.unpack_from('I', self.value, self.at)[0]

    def set(self, value):
        self._call(bench.BPF_MAP_LOOKUP)
        struct.pack_into('I', self.value, self.at, value)
        self._call(BPF_MAP_UPDATE)

    def close(self):
        os.close(self.fd)
