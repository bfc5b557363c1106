# SPDX-License-Identifier: MIT
"""What test_kernels runs inside a guest: guest.py SERIES PYTHON...

On one of Debian's stock kernels: what `doctor` finds there, the tests of the BPF side, and the tool
on real interpreters. Prints lines for tests/run.sh.
"""
import glob
import json
import os
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'live'))
os.environ['PMT_OWN_KERNEL'] = '1'
import guest_events
import livelib as live
from liverecord import Record
from livetarget import Interpreter, Target, parse_account, rss

SERIES, PYTHONS = sys.argv[1], sys.argv[2:]
PAGE = 4096

# What a series must offer, and must not: 6.1 is there for the fallbacks.
LACKS = {
    '6.1': {
        'uprobe_multi',  # since 6.6
        'rss_exact',     # since 6.2: per-CPU counters instead of 64 pages kept back in each thread
        'pagemap_scan',  # since 6.7
    },
}.get(SERIES, set())
RSS_BATCH = 64 * PAGE if 'rss_exact' in LACKS else 0  # per thread and kind

# Live tests that need a kernel of their own, or are about what kernels do otherwise: (name, cases)
LIVE = (
    ('test_cgroup', ''),
    ('test_hugetlb', ''),
    ('test_swap', ''),
    ('test_account', '^(heap|survivors|of each kind|forked child) '),
    ('test_explain', '^(adds up: heap|heap as told|forged) '),
)

cases = live.Cases()


def without_khugepaged():
    """A sleeping target's RSS must not change: khugepaged would fill the holes of its heap."""
    with open('/sys/kernel/mm/transparent_hugepage/enabled', 'w') as f:
        f.write('madvise')


def doctor():
    result = live.run('doctor', '--format', 'json').ok()
    rows = json.loads(result.out)['features']
    live.assert_equal({r['name'] for r in rows if not r['available']}, LACKS, 'what is missing')
    text = live.show(live.run('doctor').ok().out)
    assert 'stat can fully work here' in text, text


def output_of(command, env=None):
    """(status, text) of a test of another layer."""
    # not a pipe: a child that a failed test leaves behind would keep it open
    with tempfile.TemporaryFile() as out:
        try:
            status = subprocess.run(command, cwd=live.TOP, stdin=subprocess.DEVNULL, timeout=400,
                                    env=env, stdout=out, stderr=subprocess.STDOUT).returncode
        except subprocess.TimeoutExpired:
            status = 'no end after 400 s'
        out.seek(0)
        return status, live.show(out.read())


def cmocka(layer, binary):
    """One binary; its own lines become ours, so that each test has its name and kernel."""
    name = os.path.basename(binary)
    status, text = output_of([binary])
    lines = re.findall(r'^\[ +(OK|FAILED|SKIPPED) +\] ([^\n:]+)$', text, re.M)
    assert lines, '%s: status %s, no test: %s' % (name, status, text[-600:])
    failed = sorted({test for state, test in lines if state == 'FAILED'})
    for state, test in sorted(set(lines)):
        if state == 'OK':
            print('ok %s: %s %s %s' % (SERIES, layer, name, test), flush=True)
        elif state == 'SKIPPED':
            print('skip %s: %s %s %s: skipped by the test' % (SERIES, layer, name, test), flush=True)
    assert not failed and status == 0, 'status %s, failed: %s: %s' % (
        status, ', '.join(failed), text[-1500:])


def live_layer(name, cases_like, given):
    """Cases of a live test, with the interpreters of the guest; "ok heap trixie-3.13" becomes
    "ok 6.12: live test_account heap trixie-3.13"."""
    env = dict(os.environ, PMT_INTERPRETERS=given)
    script = os.path.join(live.TOP, 'tests', 'live', name)
    status, text = output_of([sys.executable, '-B', script, cases_like], env)
    lines = re.findall(r'^(ok|not ok|skip|absent) ([^\n]+)$', text, re.M)
    assert lines, '%s: status %s, no test: %s' % (name, status, text[-600:])
    for state, rest in lines:
        print('%s %s: live %s %s' % (state, SERIES, name, rest), flush=True)
    # failed cases have lines of their own; why is in the traceback
    assert status == 0, 'status %s: %s' % (status, text[-1500:])


def target(interpreter, scenario):
    source = open(os.path.join(live.TOP, 'tests/live/targets/scenarios.py')).read()
    return Target(interpreter, command=[interpreter.path, '-c', source, scenario])


def assert_rss(kernel, got, what):
    """The tool's figure is the kernel's own; until 6.1 the kernel's lags by its batch."""
    for kind, figure in kernel.items():
        assert abs(got[kind] - figure) <= RSS_BATCH, '%s: %s is %d, the kernel says %d' % (
            what, kind, got[kind], figure)


def snapshot(interpreter):
    for scenario in ('heap', 'freelists'):
        with target(interpreter, scenario) as t:
            expected = t.point()
            live.assert_same(live.run('snapshot', '-p', t.pid).ok().out, expected, scenario)
    with target(interpreter, 'heap') as t:
        expected = t.point()
        live.assert_same(live.run('snapshot', '--pause', '-p', t.pid).ok().out, expected, '--pause')
        live.assert_equal(live.stopped_threads(t.pid), [], 'stopped threads after --pause')


def stat_reports(interpreter):
    """The text reports of a target that does nothing meanwhile: no change, and the same RSS."""
    with target(interpreter, 'stages') as t:
        t.point()
        result = live.run('-p', t.pid, '-n', 2, '-i', 1).ok()
        text = live.show(result.out)
        assert re.search(r'^# pid %d ' % t.pid, text, re.M), text
        live.assert_equal(len(re.findall(r'^\d\d:\d\d:\d\d ', text, re.M)), 4, 'reports: ' + text)
        live.assert_equal(live.probed_bytes(t.pid), 0, 'breakpoints left in the target')
        with live.Tool('-p', t.pid, '-n', 2, '-i', 1, '--format', 'json') as tool:
            tool.until('"kind"')
            # while it is attached: afterwards the kernel takes the probes' copied pages back
            kernel = rss(t.pid)
            docs = [json.loads(l) for l in live.show(tool.end().ok().out).splitlines()]
        live.assert_equal([d['kind'] for d in docs], ['state'] + ['change'] * 3, 'documents')
        assert docs[-1]['total'], docs[-1]
        assert_rss(kernel, docs[0]['rss'], 'state')
        assert_rss(kernel, docs[-1]['rss_after'], 'stat -n 2')


def stat_events(interpreter):
    """Arenas counted by probes against the target's own account of the same stretch."""
    with target(interpreter, 'stages') as t:
        before = parse_account(t.point())
        with live.Tool('-p', t.pid, '-i', 1, '--format', 'json') as tool:
            state = json.loads(tool.until('"kind"'))
            figures = state['stats']['pymalloc']
            live.assert_equal(figures['arenas_total'], before['arenas_total'], 'arenas at first')
            after = parse_account(t.next_point())
            kernel = rss(t.pid)
            result = tool.end(signal.SIGINT)
        result.ok()
        total = json.loads(live.show(result.out).splitlines()[-1])
        assert total['total'], total
        live.assert_equal(
            (total['arenas_taken_events'], total['arenas_released_events']),
            (after['arenas_total'] - before['arenas_total'],
             after['arenas_reclaimed'] - before['arenas_reclaimed']), 'arenas taken, released')
        live.assert_equal([k for k, v in total['health'].items() if v], [], 'health')
        assert total['arenas_taken_events'] > 0, 'the scenario took no arena'
        assert_rss(kernel, total['rss_after'], 'total')
        live.assert_equal(live.probed_bytes(t.pid), 0, 'breakpoints left in the target')


# Each function's growth is known by construction.
GROWING = """
import mmap, signal, sys
signal.signal(10, lambda n, f: None)
DATA, kept = bytes(1 << 20), []
def fill(n):
    for i in range(n):
        kept.append(mmap.mmap(-1, 1 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)); kept[-1].write(DATA)
def first(): fill(4)
def second(): fill(12)
def third(): [fill(28) for i in (1,)]
def point(): sys.stderr.write('.'), sys.stderr.flush(), signal.pause()
point()
first(), second(), third()
point()
"""
GREW = {'first': 4, 'second': 12, 'third': 28}


def record(interpreter, *args):
    """Stacks of growth: every function has its own, all adds up, and outputs say how exact it is."""
    with Target(interpreter, command=[interpreter.path, '-c', GROWING]) as t:
        t.point()
        with Record('-p', t.pid, *args) as tool:
            t.next_point()
            kernel = rss(t.pid)
            profile = tool.finish()
            text = live.show(live.run('report', tool.path).ok().out)
        live.assert_equal(live.probed_bytes(t.pid), 0, 'breakpoints left in the target')
    profile.assert_explained(t.pid)
    profile.assert_kept(t.pid)
    live.assert_equal(profile.doc['batched'], bool(RSS_BATCH), 'batched')
    live.assert_equal('64 pages' in text, bool(RSS_BATCH), 'text: ' + text[:500])
    got = {k: v for k, v in kernel.items() if k != 'swap_bytes'}
    # kinds are batched each for itself
    assert abs(profile.process(t.pid)['rss_after_bytes'] - sum(got.values())) <= RSS_BATCH * 3, got
    for name, mib in GREW.items():
        growth = profile.total(name, pid=t.pid).growth
        # what the interpreter touches on the way, one kind of one thread, and the samples' error
        room = 32 * PAGE + RSS_BATCH + (0 if '--exact' in args else max(mib << 20, 10 << 20) // 10)
        assert (mib << 20) - room <= growth <= (mib << 20) + room, '%s: %d bytes, not %d MiB' % (
            name, growth, mib)


def record_exact(interpreter):
    record(interpreter, '--exact')


def demo():
    """The README's demo from where the build is done: its reports, and an end by itself."""
    script = os.path.join(live.TOP, 'tests/tools/demo.sh')
    env = dict(live.environment(), DEMO_BINARY=live.BINARY, DEMO_PYTHON=PYTHONS[0])
    # the root of the guest has no /bin/sh
    p = subprocess.run(['sh', script], cwd=live.TOP, env=env, stdin=subprocess.DEVNULL,
                       timeout=120, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = live.show(p.stdout)
    assert not p.returncode, 'status %s: %s' % (p.returncode, text[-1500:])
    # where it stands, three intervals, the total
    assert len(re.findall(r'^\d\d:\d\d:\d\d ', text, re.M)) == 5, text[-1500:]
    assert re.search(r'RSS \+.* arenas \+[1-9]', text), 'no growth is shown: ' + text[-1500:]
    assert 'health' not in text, text[-1500:]


def main():
    # livelib's own runner chooses cases by argv
    del sys.argv[1:]
    cases.add(SERIES + ': doctor', doctor)
    for binary in sorted(glob.glob(os.path.join(live.BUILD, 'tests/bpf/test_*'))):
        cases.add('%s: bpf %s' % (SERIES, os.path.basename(binary)), cmocka, 'bpf', binary)
    for binary in sorted(glob.glob(os.path.join(live.BUILD, 'tests/unit/test_*'))):
        cases.add('%s: unit %s' % (SERIES, os.path.basename(binary)), cmocka, 'unit', binary)
    given = ''
    for path in PYTHONS:
        name = os.path.basename(path)
        version = subprocess.run([path, '-V'], stdout=subprocess.PIPE).stdout.decode().split()[1]
        python = Interpreter(name, '/', path, version, 'stripped')
        given += '%s\t/\t%s\t%s\tstripped\n' % (name, path, version)
        some = [record] if path == PYTHONS[0] else []
        if path == PYTHONS[0]:
            guest_events.add(cases, SERIES, python, RSS_BATCH)
        for case in [snapshot, stat_reports, stat_events, record_exact] + some:
            cases.add('%s: %s %s' % (SERIES, name, case.__name__.replace('_', ' ')), case, python)
    for name, like in LIVE:
        cases.add('%s: live %s' % (SERIES, name), live_layer, name, like, given)
    if SERIES == '6.1':  # of the Debian that the README names
        cases.add(SERIES + ': demo', demo)
    without_khugepaged()
    cases.run(workers=1)


main()
