# SPDX-License-Identifier: MIT
"""Software that the tests look at and that no Debian package brings: installed once, kept."""
import fcntl
import glob
import os
import shutil
import subprocess
import sys

import livelib as live

PYMEMTRACE = '0.6.3'


def _run(*command, timeout=600, env=None, **popen):
    p = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=timeout, env=live.environment(env),
                       **popen)
    if p.returncode:
        raise live.Skip('%s: %s' % (' '.join(command[:3]), live.show(p.stdout)[-200:]))


def _kept(name, make):
    """A folder of the cache that make(folder) filled; it counts only once that came to its end."""
    folder = os.path.join(live.CACHE, name)
    done = os.path.join(folder, '.complete')
    os.makedirs(live.CACHE, exist_ok=True)
    # cases run side by side, and so may tests
    with open(folder + '.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(done):
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            open(done, 'w').close()
    return folder


def venv(name, *packages, base=sys.executable, **environment):
    """The bin folder of a virtual environment with these packages."""
    def make(folder):
        _run(base, '-m', 'venv', folder)
        _run(os.path.join(folder, 'bin', 'python'), '-m', 'pip', 'install', '-q', *packages,
             env=environment)
    return os.path.join(_kept(name, make), 'bin')


def python_with(package, interpreter, **environment):
    """An interpreter like this one, but with a package of which there may be a wheel for it."""
    name = '%s-%d.%d' % ((package,) + interpreter.minor)
    return os.path.join(venv(name, package, base=interpreter.path, **environment), 'python')


def pymemtrace_python(interpreter):
    """Its extension makes warnings errors at the end of the compiler's options, behind CFLAGS."""
    def make(folder):
        os.makedirs(folder)
        compiler = os.path.join(folder, 'cc')
        with open(compiler, 'w') as f:
            f.write('#!/bin/bash\nargs=()\nfor a; do [ "$a" = -Werror ] || args+=("$a"); done\n'
                    'exec %s "${args[@]}"\n' % os.environ.get('CC', 'cc'))
        os.chmod(compiler, 0o755)
    compiler = os.path.join(_kept('cc-without-werror', make), 'cc')
    return python_with('pymemtrace==' + PYMEMTRACE, interpreter, CC=compiler)


def test_suite(interpreter):
    """A folder for PYTHONPATH, or None where the interpreter has its own test suite beside it.
    Debian has it in a package of its own, of which only files are taken."""
    version = '%d.%d' % interpreter.minor
    where = '/usr/lib/python' + version
    p = subprocess.run([interpreter.path, '-c', 'import test.test_list'], env=live.environment(),
                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
    if not p.returncode:
        return None
    if interpreter.root != '/' or not os.path.isdir(where + '/test'):
        raise live.Absent('%s has no test suite' % interpreter.name)

    def make(folder):
        with live.scratch() as scratch:
            # apt's own user has to get in
            os.chmod(scratch, 0o755)
            _run('apt-get', 'download', 'libpython%s-testsuite' % version, cwd=scratch)
            _run('dpkg', '-x', glob.glob(scratch + '/*.deb')[0], scratch + '/root')
            shutil.copytree(where + '/test', folder + '/test', symlinks=True)
            _run('cp', '-a', scratch + '/root' + where + '/test', folder)
    return _kept('test-suite-' + version, make)
