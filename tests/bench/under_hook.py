# SPDX-License-Identifier: MIT
"""under_hook.py HOOK LOG PROGRAM [ARG...]: runs a program under a hook of the interpreter. HOOK:
Profile or Trace, pymemtrace's C functions; setprofile, a function of Python that does nothing."""
import runpy
import sys


def nothing(frame, event, arg):
    pass


hook, log = sys.argv[1:3]
del sys.argv[:3]
if hook == 'setprofile':
    sys.setprofile(nothing)
    runpy.run_path(sys.argv[0], run_name='__main__')
else:
    from pymemtrace import cPyMemTrace
    with getattr(cPyMemTrace, hook)(filepath=log):
        runpy.run_path(sys.argv[0], run_name='__main__')
