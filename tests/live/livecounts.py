# SPDX-License-Identifier: MIT
"""The programs of targets/calls.py and yields.py, counted by the interpreter itself, and what `calls` is
to count of them: the same, but for what is told here."""
import ast
import json

import livelib as live
from livecalls import source
from livetarget import Target

KINDS = ('calls', 'resumes', 'returns', 'yields', 'unwinds')
PROGRAMS = [source(name) for name in ('calls.py', 'yields.py')]
COUNTED = source('counted.py')

# Since 3.11 throw() and close() enter a generator without an instruction that begins a call: there is
# no entry to be seen. That an exception ends it can be seen only where all unwinds are: elsewhere ends
# are inferred for calls whose entry was seen.
UNSEEN_UNWINDS = ('TurnClosed.__await__', 'TurnThrown.__await__', 'closed', 'closed_coroutine',
                  'closed_in_for', 'closed_in_try', 'dropped', 'dropped_at_once', 'inner_closed', 'never',
                  'outer_closed', 'thrown', 'thrown_at_birth', 'thrown_at_yield', 'thrown_coroutine')
# close() would make no difference to these, and since 3.13 does not run them; since 3.14 it does so
# while somebody counts.
NOT_RUN = ('TurnClosed.__await__', 'closed', 'closed_in_for', 'dropped', 'dropped_at_once',
           'inner_closed')
# Where no probe can be at yields, they are learnt from what runs next. If that is the end, by throw() or
# close(), the two are one; and so they are if it is another yield.
ONE_END = ('TurnThrown.__await__', 'closed_and_returns', 'closed_coroutine', 'closed_in_try',
           'outer_closed', 'thrown_coroutine')
YIELDS_UNSEEN = {'catches_thrown': -60, 'inner_thrown': -20}
# throw() links the frame of a generator that delegates below that of the other one, without running it.
# These builds take the frame off the stack before they come by the probe of yields: of the two that are
# linked the lower one, which stands at a yield too, is taken for it.
LATE_YIELDS = {(3, 12): {'inner_thrown': -20, 'outer_thrown': 20},
               (3, 14): {'inner_thrown': -20, 'outer_thrown': 20}}
# 3.9 links it to nothing: another stack, it seems, and what was open on the right one is given up. Twice
# each, at throw() and behind it.
RESETS_3_9 = 2 * (20 + 15)
LOST_3_9 = {'ending_coroutines': 15, 'outer_thrown': 20, 'throwing': 20, 'thrown_coroutine': 15,
            'throws': 20}
# Until 3.10 a hook copies a frame's locals: what is dropped from them is so within the hook, where the
# interpreter does not count. So it is with signals.
IN_THE_HOOK = {'__del__': (60, 0, 60, 0, 0), 'on_signal': (20, 0, 20, 0, 0),
               'dropped': (0, 25, 0, 0, 25)}


def counted_target(interpreter, how):
    return Target(interpreter, how, *PROGRAMS, source=COUNTED)


def counted_command(interpreter):
    """To run it by itself, without a pause."""
    return [interpreter.path, '-c', COUNTED, 'alone'] + PROGRAMS


def own(rows):
    """Those of the program and of code that it makes, not of libraries: threading behaves as time
    has it."""
    return {key: row for key, row in rows.items()
            if key[0].startswith('PROGRAM-') or key[0] in ('made up', 'made up too', 'brief')}


def truth(interpreter, how=None):
    """{(file, name, first line): {kind: count}} as the interpreter itself counts."""
    how = how or ('monitoring' if interpreter.minor >= (3, 12) else 'profile')
    with counted_target(interpreter, how) as t:
        t.point()
        told = json.loads(t.next_point().decode())
    return own({tuple(row[:3]): row[3] for row in told})


def first_line(name):
    """(file, first line) of a function of the programs."""
    for i, text in enumerate(PROGRAMS):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.name == name:
                return 'PROGRAM-%d' % i, node.lineno
    raise AssertionError('no function %s' % name)


def sees(table, site):
    return any(s['name'] == site for s in table.doc['sites'])


def sees_yields(interpreter, table):
    return interpreter.minor < (3, 11) or sees(table, 'YIELD_VALUE')


def since_3_11(name, row, interpreter, table):
    minor, late = interpreter.minor, LATE_YIELDS.get(interpreter.minor, {})
    if name in UNSEEN_UNWINDS and not sees(table, '_PyEval_FrameClearAndPop') or (
            name in NOT_RUN and minor >= (3, 14)):
        row['unwinds'] -= row['throws']
    if not sees_yields(interpreter, table):
        row['yields'] += YIELDS_UNSEEN.get(name, 0)
        if name in ONE_END:
            row['yields'] -= row['throws']
    elif interpreter.shape != 'debug':
        row['yields'] += late.get(name, 0)


def expected(rows, interpreter, table):
    """{(file, name, first line): (calls, resumes, returns, yields, unwinds)} by what `truth` told."""
    found = {}
    for key, row in rows.items():
        row = dict(row)
        if interpreter.minor >= (3, 11):
            since_3_11(key[1], row, interpreter, table)
        found[key] = tuple(row[k] for k in KINDS)
    if interpreter.minor < (3, 11):
        for name, more in IN_THE_HOOK.items():
            file, line = first_line(name)
            row = found.get((file, name, line), (0,) * len(KINDS))
            found[file, name, line] = tuple(map(sum, zip(row, more)))
    return {key: row for key, row in found.items() if any(row)}


def counted(table, kinds=KINDS):
    """As expected(), of the program's functions."""
    found = {(f.file, f.name, f.first_line): tuple(getattr(f, k) for k in kinds)
             for f in table.functions}
    return {key: row for key, row in own(found).items() if any(row)}


def assert_counts(got, wanted, what):
    wrong = ['%s:%d %s: %r, expected %r' % (key[0], key[2], key[1], got.get(key), wanted.get(key))
             for key in sorted(set(got) | set(wanted)) if got.get(key) != wanted.get(key)]
    assert not wrong, '%s: %d functions: %s' % (what, len(wrong), '\n'.join(wrong))


def assert_right_counts(table, rows, interpreter, what):
    """All of a run's, and nothing lost."""
    lost = LOST_3_9 if interpreter.minor == (3, 9) else {}
    resets = {'reset': RESETS_3_9} if lost else {}
    live.assert_equal({k: v for k, v in table.doc['losses'].items() if v}, resets, 'losses')
    live.assert_equal({f.name: f.lost for f in table.functions if f.lost and
                       f.file.startswith('PROGRAM-')}, lost, 'lost')
    assert_same_counts(counted(table), expected(rows, interpreter, table), interpreter, table, what)


def assert_same_counts(got, wanted, interpreter, table, what):
    if not sees_yields(interpreter, table):
        # whether it had yielded is read from memory that has been given back
        got, wanted = dict(got), dict(wanted)
        for rows in (got, wanted):
            for key in [key for key in rows if key[1] == 'dropped_at_once']:
                rows[key] = rows[key][:3] + (sum(rows[key][3:]),)
    assert_counts(got, wanted, what)


def assert_hooked_counts(table, rows, interpreter, what):
    """Of a target that is watched by hooks of its own meanwhile: they run at ends, too, while what ends
    is on the stack still. Instructions of their own see every yield."""
    table.assert_kept()
    thrown_into = {key for key, row in rows.items() if row['throws']}

    def without_unwinds(found):
        return {key: row[:4] if key in thrown_into else row for key, row in found.items()
                if any(row[:4]) or key not in thrown_into}
    wanted = {key: tuple(row[k] for k in KINDS) for key, row in rows.items()}
    if interpreter.minor < (3, 11):
        wanted = expected(rows, interpreter, table)
    assert_counts(without_unwinds(counted(table)), without_unwinds(wanted), what)


def entries_of(rows):
    return {key: row[:2] for key, row in rows.items() if any(row[:2])}
