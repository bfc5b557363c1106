# SPDX-License-Identifier: MIT
"""pyperf_program.py NAME LOOPS [ARG...]: the workload of a program of pyperformance, so many loops of
it in this process, where pyperf would start others and choose the number itself.
stdin: a line starts the measured loops, its end ends the program.

The loops begin where the program has only been imported: what it grows by counts too."""
import asyncio
import os
import runpy
import sys
import time

import pyperf
import pyperformance


class Runner(pyperf.Runner):
    """Measures the first thing that it is given to measure."""

    def parse_args(self, args=None):
        if self.args is None:
            super().parse_args(args)
        return self.args

    def bench_time_func(self, name, func, *args, **how):
        measure(lambda: func(LOOPS, *args))

    def bench_func(self, name, func, *args, **how):
        def work():
            for _ in range(LOOPS):
                func(*args)
        measure(work)

    def bench_async_func(self, name, func, *args, **how):
        def work():
            for _ in range(LOOPS):
                asyncio.run(func(*args))
        measure(work)


def measure(work):
    sys.stdin.readline()
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    print('FIGURES %.6f %.6f' % (time.process_time() - cpu, time.perf_counter() - wall), flush=True)
    sys.stdin.readline()
    sys.exit(0)


NAME, LOOPS = sys.argv[1], int(sys.argv[2])
folder = os.path.join(os.path.dirname(pyperformance.__file__), 'data-files/benchmarks/bm_' + NAME)
pyperf.Runner = Runner
sys.argv[:3] = [os.path.join(folder, 'run_benchmark.py')]
sys.path.insert(0, folder)
runpy.run_path(sys.argv[0], run_name='__main__')
