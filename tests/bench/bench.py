# SPDX-License-Identifier: MIT
"""Measures, and writes the report: bench.py REPORT VENV TRAPCOST [PART...] (bench.sh prepares them).

VENV is a virtual environment of memray, pymemtrace and pyperformance, or what could be had of them:
VENV/versions has lines "NAME version", VENV/missing "NAME why".
"""
import os
import sys
import time

import attach
import benchlib as bench
import calls_cost
import explain
import programs
import sampling
import snapshots
import tooling
import walks


class Venv:
    def __init__(self, path):
        self.python = os.path.join(path, 'bin/python')
        self.versions = self._read(os.path.join(path, 'versions'))
        self.missing = self._read(os.path.join(path, 'missing'))

    @staticmethod
    def _read(path):
        with open(path) as f:
            return dict(line.rstrip('\n').split(' ', 1) for line in f if ' ' in line)


def main():
    report, venv, trapcost = sys.argv[1], Venv(sys.argv[2]), sys.argv[3]
    start = time.monotonic()
    main_python = bench.interpreter('pyenv-3.12*', 'system-3.11')
    small_pools = bench.interpreter('pyenv-3.9*', 'pyenv-3.8*', 'bullseye-3.9')
    if not main_python:
        sys.exit('bench: neither pyenv 3.12 nor Debian\'s python3.11 is here')
    everything = {
        'programs': lambda: programs.report(main_python, venv, trapcost),
        'walks': walks.report,
        'sampling': lambda: sampling.report(main_python),
        'tooling': lambda: tooling.report(main_python),
        'snapshots': lambda: snapshots.report([
            (main_python, 'pools of 16 KiB'),
            (small_pools, 'pools of 4 KiB (CPython 3.9 or older)')]),
        'explain': lambda: explain.report([
            (main_python, 'pools of 16 KiB'), (small_pools, 'pools of 4 KiB')]),
        'attach': lambda: attach.report(main_python),
        'calls': lambda: calls_cost.report(main_python, venv, trapcost),
    }
    parts, kept = [], []
    for name in sys.argv[4:] or everything:
        text, ok = everything[name]()
        parts.append(text)
        kept.append(ok)
    head = ('# What it costs, measured\n\n'
            'Written by `make bench` (tests/bench); the figures are those of one run.\n\n'
            '%s. %s, %.0f s.\n\n' % (bench.machine(), time.strftime('%Y-%m-%d'),
                                     time.monotonic() - start))
    with open(report + '.part', 'w') as f:
        f.write(head + '\n'.join(parts).rstrip('\n') + '\n')
    os.rename(report + '.part', report)
    if not all(kept):
        bench.info('a promise was not kept: see %s' % report)
        sys.exit(1)


main()
