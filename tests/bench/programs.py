# SPDX-License-Identifier: MIT
"""What watching costs two programs: CPU ratios, and for `stat` counts times ns per event."""
import json
import os
import re
import signal
import statistics
import subprocess
import tempfile

import benchlib as bench
from benchlib import HERE, Program, live, spread, table

ROUNDS = 7
MODES = ('bare', 'bare again', 'stat', 'tracemalloc', 'memray', 'pymemtrace')

# Rounds of work for each: about half a second to two, however slow. Figures are CPU per round.
WORK = {
    'alloc.py': {'tracemalloc': 3, None: 8},
    'calls.py': {'memray': 60, 'pymemtrace': 1, None: 120},
}
PROMISE = 1.05


def work_of(program, mode):
    return WORK[program].get(mode, WORK[program][None])


def command(python, venv, program, mode, scratch):
    path, count = os.path.join(HERE, program), str(work_of(program, mode))
    if mode == 'tracemalloc':
        return python.command('-X', 'tracemalloc', path, count)
    if mode == 'memray':
        return [venv.python, '-m', 'memray', 'run', '-q', '-f', '-o',
                os.path.join(scratch, 'memray.bin'), path, count]
    if mode == 'pymemtrace':
        return [venv.python, os.path.join(HERE, 'under_pymemtrace.py'),
                os.path.join(scratch, 'pymemtrace.log'), path, count]
    return python.command(path, count)


def run_once(argv, watched):
    """CPU seconds of the measured part; with watched, `stat` attaches before it."""
    with Program(argv) as p:
        if not watched:
            p.go()
            return p.figures()[0]
        p.wait_blocked(bench.READ)
        with live.Tool('-p', p.pid, '--format', 'json') as tool:
            tool.until('"kind"')
            p.go()
            cpu = p.figures()[0]
            tool.end(signal.SIGINT)
        return cpu


def ratios(python, venv, program):
    """{mode: [ratio to bare of each round]}; modes take turns, in an order that turns too."""
    found = {mode: [] for mode in MODES if mode not in venv.missing}
    bare = []
    with tempfile.TemporaryDirectory(prefix='pmt-bench-') as scratch:
        for number in range(ROUNDS):
            cost = {}
            modes = list(found)
            for mode in modes[number % len(modes):] + modes[:number % len(modes)]:
                argv = command(python, venv, program, mode, scratch)
                cost[mode] = run_once(argv, mode == 'stat') / work_of(program, mode)
            bare.append(cost['bare'])
            for mode in modes:
                found[mode].append(cost[mode] / cost['bare'])
    return found, statistics.median(bare)


def trap_costs(trapcost):
    out = subprocess.run([trapcost], check=True, stdout=subprocess.PIPE).stdout.decode()
    return {name: float(ns) for name, ns in (line.split() for line in out.splitlines())}


def instructions(python, function):
    """The mnemonics of a function of the interpreter; [] if it has no such symbol."""
    files = [python.path]
    out = subprocess.run(['ldd', python.path], stdout=subprocess.PIPE).stdout.decode()
    files += re.findall(r'=> (\S*/libpython\S*)', out)
    for file in files:
        text = subprocess.run(['objdump', '-d', '--no-show-raw-insn', '--disassemble=' + function,
                               os.path.realpath(file)], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL).stdout.decode()
        m = re.search(r'<%s>:\n((?:\s*\w+:\s.*\n)+)' % function, text)
        if m:
            return re.findall(r'^\s*\w+:\s+(\w+)', m.group(1), re.M)
    return []


def traps_of(python, traps):
    """What a hit of each probe costs before its program runs. A pool's probe is at the function's
    first instruction, an arena's at its call of mmap or munmap (user/python/site.h)."""
    pool = instructions(python, 'allocate_from_new_pool')[:1]
    arena = {'call', 'jmp'} & set(instructions(python, '_PyMem_ArenaAlloc') or
                                  instructions(python, '_PyObject_ArenaMmap'))
    return traps['push' if arena else 'sub'], traps['push' if pool == ['push'] else 'sub']


def counted(python, program, traps):
    """Events of one run of the program under `stat`, and what each cost."""
    argv = python.command(os.path.join(HERE, program), str(work_of(program, 'stat')))
    with Program(argv) as p, bpf_statistics():
        p.wait_blocked(bench.READ)
        with live.Tool('-p', p.pid, '--format', 'json') as tool:
            tool.until('"kind"')
            # other processes' events while the target waits
            idle = bench.bpf_accounts(tool.pid)
            signal.sigtimedwait([], 1)
            before, tool_cpu = bench.bpf_accounts(tool.pid), bench.cpu_seconds(tool.pid)
            events = bench.rss_events(tool.pid, p.pid)
            p.go()
            cpu = p.figures()[0]
            after, tool_cpu = bench.bpf_accounts(tool.pid), bench.cpu_seconds(tool.pid) - tool_cpu
            events = bench.rss_events(tool.pid, p.pid) - events
            total = json.loads(live.show(tool.end(signal.SIGINT).ok().out).splitlines()[-1])

    def delta(name, a, b):
        zero = (0, 0)
        return tuple(y - x for x, y in zip(a.get(name, zero), b.get(name, zero)))

    # rss_stat runs for all processes: take off the others' runs at the price seen while idle
    runs, ns = delta('on_rss_stat', before, after)
    idle_runs, idle_ns = delta('on_rss_stat', idle, before)
    other = idle_ns / idle_runs if idle_runs else 0
    rss_ns = max(0, ns - (runs - events) * other) / events if events else 0
    arena, pool = traps_of(python, traps)
    rows = [('`rss_stat`', events, max(0, rss_ns - traps['empty']), 0)]
    for name, label, trap in (
            ('on_arena_alloc', 'arena taken', arena),
            ('on_arena_free', 'arena released', arena),
            ('on_new_pool', 'pool taken', pool)):
        runs, ns = delta(name, before, after)
        rows.append((label, runs, max(0, ns / runs - traps['empty']) if runs else 0, trap))
    return {'rows': rows, 'cpu': cpu, 'tool_cpu': tool_cpu, 'other_ns': max(0, other - traps['empty']), 'total': total,
            'pools': total.get('pools_taken_events')}


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


def counted_table(program, c, bare):
    rows = [('event', 'count', 'ns in BPF', 'ns of the trap', 'ms in all')]
    sum_ms = 0
    for label, count, ns, trap in c['rows']:
        ms = count * (ns + trap) / 1e6
        sum_ms += ms
        rows.append((label, format(count, ','), '%.0f' % ns, '%.0f' % trap, '%.2f' % ms))
    base_ms = bare * work_of(program, 'stat') * 1e3
    ratio = 1 + sum_ms / base_ms
    rows.append(('sum', '', '', '', '%.2f of %.0f: **%.4f**' % (sum_ms, base_ms, ratio)))
    return table(*rows), ratio


def report(python, venv, trapcost):
    """Markdown, and whether the promise was kept."""
    traps = trap_costs(trapcost)
    head, body, kept = ['tool'], {}, True
    parts = []
    for program in WORK:
        bench.info('%s: %d rounds of %d modes' % (program, ROUNDS, len(MODES)))
        found, bare = ratios(python, venv, program)
        head.append('%s (%.1f ms a round)' % (program, bare * 1e3))
        for mode in MODES:
            cell = spread(found[mode]) if mode in found else 'not here: ' + venv.missing[mode]
            body.setdefault(mode, []).append(cell)
        c = counted(python, program, traps)
        text, ratio = counted_table(program, c, bare)
        if program == 'alloc.py':
            kept = ratio <= PROMISE
        parts.append('### %s: counts × ns per event\n\n%s\n' % (program, text)
                     + '`stat` stays within %.2f by counts × ns: %s (%.4f).\n'
                     % (PROMISE, bench.verdict(ratio <= PROMISE), ratio)
                     + 'The tool itself used %.2f s of CPU in the %.2f s; an event of a process that '
                       'is not watched cost it %.0f ns.\n' % (c['tool_cpu'], c['cpu'], c['other_ns']))
    label = {'bare': 'bare', 'bare again': 'bare again (A/A: the noise)', 'stat': '`stat`',
             'tracemalloc': 'tracemalloc', 'memray': 'memray ' + venv.versions.get('memray', ''),
             'pymemtrace': 'pymemtrace %s, Profile' % venv.versions.get('pymemtrace', '')}
    text = ('## CPU of a program while it is watched\n\n'
            'CPU time of the program\'s measured part over that of the bare program of the same '
            'round: median (least–most) of %d rounds in which the tools take turns. %s. '
            'alloc.py builds and drops records, JSON and texts; calls.py only calls.\n\n'
            % (ROUNDS, python))
    text += table(head, *[[label[m]] + body[m] for m in MODES])
    text += ('\nThe ratios of `bare again` say how much of a ratio is noise. `stat` is therefore also '
             'counted: events of one run, times the run time that the kernel measured for each BPF '
             'program (`kernel.bpf_stats_enabled`), plus what a uprobe hit costs here by itself '
             '(a C loop: %.0f ns where the kernel emulates the instruction, %.0f ns where it '
             'single-steps). The %.0f ns that these statistics find for an empty program are their '
             'own cost and are taken off.\n\n'
             % (traps['push'], traps['sub'], traps['empty']))
    return text + '\n'.join(parts) + '\n', kept
