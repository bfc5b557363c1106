# SPDX-License-Identifier: MIT
"""What watching costs by counts times ns per event: a figure that a noisy machine does not blur."""
import os
import re
import signal
import subprocess

import benchlib as bench
from benchlib import Program, bpf_statistics, table, tool_of

PROMISES = {'stat': 1.05, 'record': 1.04, 'record --exact': None}
RUNS = 3
EVENTS = (('on_arena_alloc', 'arena'), ('on_arena_free', 'arena'), ('on_arena_mapped', 'mapped'),
          ('on_new_pool', 'pool'))


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
    first instruction, an arena's at its call of mmap or munmap (user/python/site.h), and one more
    behind the call."""
    pool = instructions(python, 'allocate_from_new_pool')[:1]
    arena = instructions(python, '_PyMem_ArenaAlloc') or instructions(python, '_PyObject_ArenaMmap')
    calls = [i for i, name in enumerate(arena) if name in ('call', 'jmp')]
    behind = arena[calls[0] + 1:calls[0] + 2] if calls else []

    def cost(emulated):
        return traps['push' if emulated else 'sub']
    return {'arena': cost(calls), 'mapped': cost(behind in (['push'], ['nop'])),
            'pool': cost(pool == ['push'])}


class Count:
    """Events of one run: {kind: (how many, ns of all)}, and what the tool used."""

    def __init__(self):
        self.events, self.samples, self.tool_cpu, self.seconds, self.other_ns = {}, 0, 0, 0, 0

    def ns(self):
        return sum(ns for _, ns in self.events.values())


def count_once(argv, mode, trap, empty):
    found = Count()
    with Program(argv) as p, bpf_statistics():
        p.wait_blocked(bench.READ)
        with tool_of(mode, p.pid) as tool:
            # other processes' events while the target waits
            idle = bench.bpf_accounts(tool.pid)
            signal.sigtimedwait([], 0.5)
            before, tool_cpu = bench.bpf_accounts(tool.pid), bench.cpu_seconds(tool.pid)
            events = bench.rss_events(tool.pid, p.pid)
            p.go()
            found.seconds = p.figures()[0]
            after = bench.bpf_accounts(tool.pid)
            events = bench.rss_events(tool.pid, p.pid) - events
            found.tool_cpu = bench.cpu_seconds(tool.pid) - tool_cpu
            if mode.startswith('record'):
                rss = tool.profile()['attribution']['rss']
                found.samples = rss['attributed']['events'] + sum(
                    c['events'] for c in rss['causes'].values())
            else:
                tool.end(signal.SIGINT).ok()

    def delta(name, a, b):
        return tuple(y - x for x, y in zip(a.get(name, (0, 0)), b.get(name, (0, 0))))

    # rss_stat runs for all processes: take off the others' runs at the price seen while idle
    runs, ns = delta('on_rss_stat', before, after)
    idle_runs, idle_ns = delta('on_rss_stat', idle, before)
    other = idle_ns / idle_runs if idle_runs else empty
    found.other_ns = max(0, other - empty)
    found.events['rss'] = (events, max(0, ns - (runs - events) * other - events * empty))
    for name, kind in EVENTS:
        runs, ns = delta(name, before, after)
        so_far = found.events.get(kind, (0, 0))
        found.events[kind] = (so_far[0] + runs,
                              so_far[1] + max(0, ns - runs * empty) + runs * trap[kind])
    # an arena is one event, with all of its traps
    mapped = found.events.pop('mapped')
    found.events['arena'] = (found.events['arena'][0], found.events['arena'][1] + mapped[1])
    return found


def count(argv, mode, python, traps):
    """The run of median cost."""
    runs = [count_once(argv, mode, traps_of(python, traps), traps['empty']) for _ in range(RUNS)]
    return sorted(runs, key=Count.ns)[len(runs) // 2]


def report(accounts, traps):
    """accounts: [(program, CPU seconds of the bare one, {mode: Count})]. Markdown, promises kept?"""
    kept, text = True, (
        '## The same by counts × ns per event\n\n'
        'The ratios of `bare again` say how much of a ratio is noise. So each event of a run is '
        'counted too, and has as its price the run time that the kernel measured for the BPF '
        'program (`kernel.bpf_stats_enabled`), plus what a uprobe hit costs here by itself '
        '(a C loop: %.0f ns where the kernel emulates the instruction, %.0f ns where it '
        'single-steps). The %.0f ns that these statistics find for an empty program are their '
        'own cost and are taken off. The run of median cost of %d.\n\n'
        % (traps['push'], traps['sub'], traps['empty'], RUNS))
    for mode, promise in PROMISES.items():
        rows = [('program', 'changes of RSS', 'looked at', 'ns per change', 'arenas', 'ns each',
                 'pools', 'ns each', 'ms in all', 'of ms', 'ratio', 'kept')]
        for name, bare, counts in accounts:
            c = counts[mode]
            ratio = 1 + c.ns() / 1e9 / bare
            ok = ratio <= promise if promise else None
            kept &= ok is not False
            each = {kind: '%.0f' % (ns / n) if n else '–' for kind, (n, ns) in c.events.items()}
            rows.append((name, format(c.events['rss'][0], ','),
                         format(c.samples, ',') if c.samples else '–', each['rss'],
                         c.events['arena'][0], each['arena'], format(c.events['pool'][0], ','),
                         each['pool'], '%.2f' % (c.ns() / 1e6), '%.0f' % (bare * 1e3),
                         '%.4f' % ratio, {None: '', True: 'yes', False: '**FAILED**'}[ok]))
        text += '### `%s`%s\n\n%s\n' % (
            mode, ': promised %.2f' % promise if promise else '', table(*rows))
    others = [c.other_ns for _, _, counts in accounts for c in counts.values()]
    text += ('An event of a process that is not watched cost it %.0f ns (median). The tool itself '
             'used %.2f s of CPU in the %.1f s of all these runs.\n'
             % (sorted(others)[len(others) // 2],
                sum(c.tool_cpu for _, _, counts in accounts for c in counts.values()),
                sum(c.seconds for _, _, counts in accounts for c in counts.values())))
    return text, kept
