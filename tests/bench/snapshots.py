# SPDX-License-Identifier: MIT
"""What `snapshot` of a 1 GiB pymalloc heap costs: the tool, and the process that is read."""
import fcntl
import json
import os
import re
import subprocess
import tempfile
import time

import benchlib as bench
from benchlib import HERE, Program, live, spread, table

ROUNDS = 5
PROMISES = {16384: 200, 4096: 500}  # ms of CPU, by size of pools
MOST_MEMORY = 64  # MiB

# What can be seen of the target from outside: page faults, RSS, the kernel's split of it.
FAULTS = ('minflt', 'majflt')


def faults(pid):
    fields = live.proc(pid, 'stat').rpartition(b') ')[2].split()
    return dict(zip(FAULTS, (int(fields[7]), int(fields[9]))))


def memory(pid):
    text = live.proc(pid, 'smaps_rollup').decode()
    return {name: int(kb) for name, kb in re.findall(r'^(\w+): +(\d+) kB', text, re.M)}


def timed(*args):
    """(CPU ms, wall ms, stdout) of the tool's run."""
    with tempfile.TemporaryFile() as out:
        start = time.monotonic()
        pid = os.posix_spawn(live.BINARY, (live.BINARY,) + args, live.environment(),
                             file_actions=[(os.POSIX_SPAWN_DUP2, out.fileno(), 1)])
        _, status, usage = os.wait4(pid, 0)
        wall = time.monotonic() - start
        assert status == 0, '%s: wait status %d' % (args, status)
        out.seek(0)
        return (usage.ru_utime + usage.ru_stime) * 1e3, wall * 1e3, out.read()


def peak_memory(pid, command='snapshot'):
    """VmHWM of the tool, MiB: read while it is held up by a full pipe, when all is done but its
    last write. (What wait4 says begins with the parent's own figure.)"""
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, 1031, 4096)  # F_SETPIPE_SZ
    os.write(write_end, bytes(4096))
    with subprocess.Popen([live.BINARY, command, '-p', str(pid)], stdout=write_end,
                          env=live.environment()) as p:
        os.close(write_end)
        live.wait_until(lambda: bench.system_call(p.pid) == bench.WRITE, 'the tool to write')
        text = live.proc(p.pid, 'status').decode()
        while os.read(read_end, 1 << 16):
            pass
        os.close(read_end)
    return int(re.search(r'^VmHWM:\s*(\d+)', text, re.M).group(1)) / 1024


def measure(python, size_gib):
    with open(os.path.join(HERE, 'heap.py')) as f:
        source = f.read()
    with tempfile.TemporaryFile() as err:
        with Program(python.command('-c', source, str(size_gib)), stderr=err) as p:
            inside = p.figures()
            p.wait_blocked(bench.PAUSE)
            truth = os.pread(err.fileno(), 1 << 20, 0)
            before = faults(p.pid), memory(p.pid)
            runs = [timed('snapshot', '-p', str(p.pid)) for _ in range(ROUNDS)]
            after = faults(p.pid), memory(p.pid)
            pauses, paused_cpu = [], []
            for _ in range(ROUNDS):
                cpu, _, out = timed('snapshot', '--pause', '--format', 'json', '-p', str(p.pid))
                doc = json.loads(out)
                pauses.append(doc['pause_ns'] / 1e6)
                paused_cpu.append(cpu)
            peak = peak_memory(p.pid)
    for _, _, out in runs:
        live.assert_same(out, truth, 'snapshot against the process\'s own text')
    figures = doc['stats']['pymalloc']
    return {
        'python': python, 'arenas': figures['arenas_current'], 'arena': figures['arena_bytes'],
        'pool': figures['pool_bytes'], 'pools': sum(c['pools'] for c in figures['classes']),
        'cpu': [r[0] for r in runs], 'wall': [r[1] for r in runs], 'pauses': pauses,
        'paused_cpu': paused_cpu, 'peak': peak, 'inside': inside[0] * 1e3,
        'faults': [after[0][k] - before[0][k] for k in FAULTS],
        'changed': {k: after[1][k] - v for k, v in before[1].items() if after[1].get(k) != v},
    }


def report(pythons, size_gib=1.0):
    """Markdown, and whether the promises were kept. pythons: [(python or None, what it stands for)]"""
    head, kept, notes = [''], True, []
    rows = {k: [k] for k in (
        'heap', 'CPU of `snapshot`, ms', 'its wall time, ms', 'promised CPU, ms',
        '`sys._debugmallocstats()` inside, CPU ms', '`--pause`: CPU, ms',
        '`--pause`: the pause, ms', 'page faults of the process (minor, major)',
        'its memory by smaps_rollup', 'peak memory of the tool, MiB')}
    for python, stands_for in pythons:
        if not python:
            notes.append('Not measured: %s; no such interpreter here.' % stands_for)
            continue
        bench.info('snapshot of a heap of %s GiB, %s' % (size_gib, python))
        m = measure(python, size_gib)
        promise = PROMISES.get(m['pool'])
        cpu = sorted(m['cpu'])[len(m['cpu']) // 2]
        ok = not promise or cpu < promise
        kept &= ok and m['peak'] < MOST_MEMORY and not any(m['faults']) and not m['changed']
        head.append('%s, pools of %d KiB' % (python, m['pool'] // 1024))
        for key, cell in (
                ('heap', '%d arenas of %d KiB, %s pools in use' % (
                    m['arenas'], m['arena'] // 1024, format(m['pools'], ','))),
                ('CPU of `snapshot`, ms', spread(m['cpu'], '%.0f')),
                ('its wall time, ms', spread(m['wall'], '%.0f')),
                ('promised CPU, ms', 'under %s: %s' % (promise, bench.verdict(ok))),
                ('`sys._debugmallocstats()` inside, CPU ms', '%.1f' % m['inside']),
                ('`--pause`: CPU, ms', spread(m['paused_cpu'], '%.0f')),
                ('`--pause`: the pause, ms', spread(m['pauses'], '%.1f')),
                ('page faults of the process (minor, major)', '+%d, +%d' % tuple(m['faults'])),
                ('its memory by smaps_rollup', 'unchanged' if not m['changed'] else ', '.join(
                    '%s %+d kB' % c for c in sorted(m['changed'].items()))),
                ('peak memory of the tool, MiB', '%.1f (under %d: %s)' % (
                    m['peak'], MOST_MEMORY, bench.verdict(m['peak'] < MOST_MEMORY)))):
            rows[key].append(cell)
    text = ('## Reading a heap of 1 GiB\n\n'
            'Blocks of all size classes, half of them freed again, all over the heap. Median (least–'
            'most) of %d; each text is compared with the process\'s own, byte for byte.\n\n' % ROUNDS)
    text += table(head, *rows.values()) if len(head) > 1 else ''
    return text + ''.join('\n%s\n' % n for n in notes) + '\n', kept
