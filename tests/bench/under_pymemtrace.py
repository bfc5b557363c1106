# SPDX-License-Identifier: MIT
"""under_pymemtrace.py LOG PROGRAM [ARG...]: runs a program under pymemtrace's C profile function."""
import runpy
import sys

from pymemtrace import cPyMemTrace

log = sys.argv[1]
del sys.argv[:2]
with cPyMemTrace.Profile(filepath=log):
    runpy.run_path(sys.argv[0], run_name='__main__')
