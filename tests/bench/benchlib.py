# SPDX-License-Identifier: MIT
"""What the measurements share: the machine, interpreters, programs with a gate, the tool's account."""
import ctypes
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'live'))
import livelib as live

READ, WRITE, PAUSE = 0, 1, 34  # system calls of x86-64


def info(text):
    print('bench: ' + text, file=sys.stderr, flush=True)


class Python:
    """An interpreter, perhaps in a root of its own."""

    def __init__(self, name, root, path, version):
        self.name, self.root, self.path, self.version = name, root, path, version

    def command(self, *args):
        return ([] if self.root == '/' else ['chroot', self.root]) + [self.path] + list(args)

    def __str__(self):
        return 'CPython %s (%s)' % (self.version, self.name)


def interpreter(*patterns):
    """The first that this machine has of the names that tests/tools/interpreters.sh knows, or None."""
    script = os.path.join(live.TOP, 'tests/tools/interpreters.sh')
    for pattern in patterns:
        out = subprocess.run([script, pattern], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             stdin=subprocess.DEVNULL).stdout.decode()
        for line in out.splitlines():
            if not line.startswith('#'):
                return Python(*line.split('\t')[:4])
        info('there is no %s' % pattern)
    return None


def system_call(pid):
    try:
        return int(live.proc(pid, 'syscall').split()[0])
    except (OSError, ValueError):  # gone, or "running"
        return None


class Program:
    """A process that says "FIGURES cpu wall" on stdout. It dies with the with-block."""

    def __init__(self, command, **popen):
        popen.setdefault('stderr', subprocess.DEVNULL)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=live.environment(), **popen)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def wait_blocked(self, call, timeout=120):
        def blocked():
            assert self.process.poll() is None, '%s ended' % self.process.args
            return system_call(self.pid) == call
        live.wait_until(blocked, '%s to block' % self.process.args, timeout)

    def go(self):
        self.process.stdin.write(b'\n')
        self.process.stdin.flush()

    def figures(self):
        """(CPU seconds, wall seconds) of its measured part."""
        for line in self.process.stdout:
            m = re.match(rb'FIGURES ([\d.]+) ([\d.]+)', line)
            if m:
                return float(m.group(1)), float(m.group(2))
        raise AssertionError('%s: no figures' % self.process.args)


class Recorder(live.Tool):
    """`record` of one process, into JSON if nothing else is said; entered when it follows the
    stacks."""

    def __init__(self, pid, *args):
        if '-o' not in args:
            args += ('--format', 'json')
        super().__init__('record', '-q', '-p', pid, *args)
        self.target = pid

    def __enter__(self):
        number = live.wait_until(self._walks, 'record to load its programs')
        live.wait_until(lambda: in_map(number, self.target), 'record to follow %d' % self.target)
        self.attach_ms = (time.monotonic() - self.started) * 1e3
        return self

    def _walks(self):
        assert self.process.poll() is None, 'record: %s' % self.err()
        return map_ids(self.pid).get('walks')

    def profile(self):
        """Ends it."""
        return json.loads(self.end(signal.SIGINT).ok().out)


class Stat(live.Tool):
    """`stat` of one process."""

    def __init__(self, pid):
        super().__init__('-p', pid, '--format', 'json')

    def __enter__(self):
        self.until('"kind"')
        return self


def tool_of(mode, pid):
    """The tool that watches in this mode, or None. Enter it: then it does watch."""
    if mode == 'stat':
        return Stat(pid)
    if mode.startswith('record'):
        return Recorder(pid, *mode.split()[1:])
    return None


def cpu_seconds(pid):
    """user + system so far of a process that is alive."""
    fields = live.proc(pid, 'stat').rpartition(b') ')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def bpf_programs(pid):
    """{name: the file that tells of it} of a process's BPF programs."""
    found, folder = {}, '/proc/%d/fdinfo' % pid
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        try:
            with open(path) as f:
                text = f.read()
        except OSError:  # closed meanwhile
            continue
        if 'link_id:' in text or 'prog_tag:' not in text:
            continue
        number = re.search(r'^prog_id:\s*(\d+)', text, re.M).group(1)
        found[json.loads(bpftool('prog', 'show', 'id', number))['name']] = path
    return found


def bpf_account(path):
    """(runs, ns) of a program, by the file that tells of it; needs kernel.bpf_stats_enabled."""
    with open(path) as f:
        text = f.read()
    return tuple(int(re.search(r'^%s:\s*(\d+)' % key, text, re.M).group(1))
                 for key in ('run_cnt', 'run_time_ns'))


def bpf_accounts(pid):
    """{program's name: (runs, ns)}"""
    return {name: bpf_account(path) for name, path in bpf_programs(pid).items()}


BPF_MAP_LOOKUP, BPF_MAP_FD_BY_ID, BPF_OBJECT_INFO = 1, 14, 15  # bpf(2)


def bpf(command, *words):
    """bpf(2) with these 64-bit words of attributes; -1 for an error."""
    attr = (ctypes.c_uint64 * 16)(*words)
    return live._libc.syscall(321, command, attr, ctypes.sizeof(attr))


def map_ids(pid):
    """{name: number} of the maps that a process holds."""
    found, folder = {}, '/proc/%d/fdinfo' % pid
    info = ctypes.create_string_buffer(80)
    for name in os.listdir(folder):
        try:
            with open(os.path.join(folder, name)) as f:
                m = re.search(r'^map_id:\s*(\d+)', f.read(), re.M)
        except OSError:
            continue
        fd = bpf(BPF_MAP_FD_BY_ID, int(m.group(1))) if m else -1
        if fd < 0:
            continue
        if bpf(BPF_OBJECT_INFO, fd | ctypes.sizeof(info) << 32, ctypes.addressof(info)) == 0:
            found[info.raw[24:40].rstrip(b'\0').decode()] = int(m.group(1))
        os.close(fd)
    return found


def in_map(number, key):
    """Has the map this key, a __u32?"""
    fd = bpf(BPF_MAP_FD_BY_ID, number)
    if fd < 0:
        return False
    word, value = ctypes.c_uint32(key), ctypes.create_string_buffer(1 << 16)
    found = bpf(BPF_MAP_LOOKUP, fd, ctypes.addressof(word), ctypes.addressof(value)) == 0
    os.close(fd)
    return found


def rss_events(tool_pid, target_pid):
    """rss_stat events that the tool has counted of a process, from its map."""
    for row in json.loads(bpftool('map', 'dump', 'id', str(map_ids(tool_pid)['rss']))):
        value = row['formatted']['value']
        if value['tgid'] == target_pid:
            return value['events']
    return 0


def bpftool(*args):
    path = '/usr/sbin/bpftool' if os.path.exists('/usr/sbin/bpftool') else 'bpftool'
    return subprocess.run([path, '-j'] + list(args), check=True, stdout=subprocess.PIPE).stdout


class bpf_statistics:
    """kernel.bpf_stats_enabled for the length of a with-block."""
    PATH = '/proc/sys/kernel/bpf_stats_enabled'

    def __enter__(self):
        with open(self.PATH) as f:
            self.was = f.read()
        self.write('1')

    def __exit__(self, *exc):
        self.write(self.was)

    def write(self, value):
        with open(self.PATH, 'w') as f:
            f.write(value)


# --- figures as text ------------------------------------------------------------------------------

def spread(values, form='%.2f'):
    """"1.07 (0.91-1.30)": median, least and most."""
    return '%s (%s–%s)' % tuple(form % v for v in (statistics.median(values), min(values),
                                                   max(values)))


def table(*rows):
    """A table of Markdown; the first row is its head."""
    rows = [[str(c) for c in row] for row in rows]
    lines = ['| ' + ' | '.join(row) + ' |' for row in rows]
    lines.insert(1, '|' + '---|' * len(rows[0]))
    return '\n'.join(lines) + '\n'


def verdict(ok):
    return 'yes' if ok else '**no**'


def machine():
    with open('/proc/cpuinfo') as f:
        text = f.read()
    model = re.search(r'^model name\s*: (.*)', text, re.M)
    with open('/proc/meminfo') as f:
        memory = int(f.readline().split()[1]) / (1 << 20)
    return '%s, %d CPUs%s, %.0f GiB; Linux %s' % (
        model.group(1) if model else platform.machine(), os.cpu_count(),
        ' (virtual machine)' if re.search(r'^flags.*\bhypervisor\b', text, re.M) else '', memory,
        platform.release())
