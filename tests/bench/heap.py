# SPDX-License-Identifier: MIT
"""A pymalloc heap of about 1 GiB with holes: blocks of all classes, a third of them freed again.
Prints what sys._debugmallocstats() costs from inside, then its text on stderr, and blocks."""
import os
import signal
import sys
import time




keep = [bytes(i % 480) for i in range(int(float(sys.argv[1]) * 3900000))]
for first in (1, 2):
    del keep[first::4]
text, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
os.dup2(null, 2)
cpu, wall = time.process_time(), time.perf_counter()
sys._debugmallocstats()
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
os.dup2(text, 2)
print('FIGURES %.6f %.6f' % (cpu, wall), flush=True)
signal.signal(signal.SIGUSR1, lambda number, frame: None)
debugmallocstats, pause = sys._debugmallocstats, signal.pause
debugmallocstats()
pause()
