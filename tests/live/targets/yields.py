# SPDX-License-Identifier: MIT
"""More of targets/calls.py: functions that are left and entered again, and code that is no function.

Generators never yield None: a hook could not tell that from an exception. What an interpreter does
otherwise while nobody counts (close(), throw()) is done to functions of its own, so that all others
can be compared as they are.
"""
import sys


# --- generators -------------------------------------------------------------------------------

def counts(n):
    for i in range(n):
        yield i


def talks():
    got = 1
    while got:
        got = yield got
    return 7


def delegates(n):
    yield from counts(n)
    return (yield from talks())


def tree(n):
    """Each of them delegates to two."""
    if n:
        yield from tree(n - 1)
        yield n
        yield from tree(n - 1)


def fails(n):
    yield from range(n)
    raise KeyError


def stops():
    yield 1
    raise StopIteration


def never():
    yield 1


def generators():
    for i in range(30):
        for x in counts(10):
            pass
        list(counts(3)), sum(counts(4)), tuple(tree(3)), dict(zip(counts(3), range(3)))
        list(map(plain, counts(2)))  # noqa: F821: calls.py has it
        a, b, *c = counts(4)
        g = delegates(2)
        next(g), next(g), next(g), g.send(3), g.send(4)
        try:
            g.send(0)
        except StopIteration as end:
            assert end.value == 7
        for f in (fails(3), stops()):
            try:
                list(f)
            except (KeyError, RuntimeError):
                pass
        never(), never().close()
        sum(q for q in range(4)), any(q > 9 for q in counts(4))
        {q: list(r for r in range(q)) for q in range(3)}


# What is thrown into a generator enters it without a start or a resume of its code.

def thrown(n):
    yield from range(n)


def thrown_at_yield(n):
    for i in range(n):
        yield i


def catches_thrown():
    for i in range(1, 9):
        try:
            yield i
        except KeyError:
            plain(i)  # noqa: F821


def returns_thrown():
    try:
        yield 1
    except KeyError:
        return 2


def thrown_at_birth():
    yield 1


def inner_thrown():
    try:
        yield 1
    except KeyError:
        yield 2
    yield 3


def outer_thrown():
    yield from inner_thrown()
    yield 4


def throws(g, times=1):
    try:
        for i in range(times):
            g.throw(KeyError())
    except (KeyError, StopIteration):
        return 0
    return len(list(g))


def throwing():
    for f in (thrown, thrown_at_yield):
        for i in range(20):
            g = f(3)
            next(g)
            throws(g)
    for i in range(20):
        g = catches_thrown()
        next(g)
        throws(g, 3)
        g = returns_thrown()
        next(g)
        throws(g)
        throws(thrown_at_birth())
        g = outer_thrown()
        next(g)
        throws(g)


# close() runs a generator only if that could make a difference, since 3.13.

def closed():
    yield 1
    yield 2


def closed_in_for():
    for i in range(9):
        yield i


def closed_in_try():
    try:
        yield 1
    finally:
        plain(1)  # noqa: F821


def closed_and_returns():
    try:
        yield 1
    except GeneratorExit:
        return


def inner_closed():
    yield 1


def outer_closed():
    yield from inner_closed()


def dropped():
    yield 1


def dropped_at_once():
    yield 1


def closing():
    for i in range(25):
        for f in (closed, closed_in_for, closed_in_try, closed_and_returns, outer_closed):
            g = f()
            next(g)
            g.close()
        g = dropped()
        next(g)
        plain(1)  # noqa: F821
        del g
        next(dropped_at_once())


# --- coroutines -------------------------------------------------------------------------------

class Turn:
    def __init__(self, n):
        self.n = n

    def __await__(self):
        for i in range(self.n):
            yield i
        return self.n


async def at_once():
    return 1


async def waits(n):
    got = await Turn(n)
    return got + await at_once()


async def waits_for_two():
    return await waits(2) + await waits(0)


async def fails_later():
    await Turn(1)
    raise KeyError


async def catches_it():
    try:
        await fails_later()
    except KeyError:
        return await at_once()


class AsyncContext:
    async def __aenter__(self):
        return await Turn(1)

    async def __aexit__(self, *exc):
        await Turn(1)
        return True


async def in_context():
    async with AsyncContext():
        await at_once()
        raise KeyError
    return 1


async def produces(n):
    for i in range(n):
        await Turn(1)
        yield i


async def consumes():
    found = [i async for i in produces(3)]
    async for i in produces(2):
        found.append(await at_once())
    return found


class TurnThrown:
    def __await__(self):
        yield 1


class TurnClosed:
    def __await__(self):
        yield 1


async def thrown_coroutine():
    await TurnThrown()


async def closed_coroutine():
    await TurnClosed()


def drive(c):
    try:
        while True:
            c.send(None)
    except StopIteration as end:
        return end.value


def coroutines():
    for i in range(25):
        for f in (at_once, waits_for_two, catches_it, in_context, consumes):
            drive(f())
        running = [waits(3), waits_for_two()]
        while running:
            for c in list(running):
                try:
                    c.send(None)
                except StopIteration:
                    running.remove(c)


def ending_coroutines():
    for i in range(15):
        c = thrown_coroutine()
        c.send(None)
        try:
            c.throw(KeyError())
        except KeyError:
            pass
        c = closed_coroutine()
        c.send(None)
        c.close()


# --- code -------------------------------------------------------------------------------------

MODULE = compile('a = 1\ndef f(x):\n    return [x for i in (1, 2)]\nf(a), f(2)\n', 'made up', 'exec')
EXPRESSION = compile('(lambda x: x + 1)(2)', 'made up too', 'eval')


def inside_comprehensions():
    [plain(q) for q in range(3)], {q for q in (1, 2)}, {q: q for q in (1, 2)}  # noqa: F821
    return [[plain(r) for r in range(q)] for q in range(3)]  # noqa: F821


def makes_class():
    class Outer:
        x = 1

        class Inner:
            y = [i for i in (1, 2)]

            def method(self):
                return self
    return Outer.Inner().method()


def short_lived():
    """Code objects, each of another name, that use the memory of the one before."""
    for i in range(200):
        space = {}
        name = 'brief_%03d' % (i * 7 % 200)
        exec(compile('def %s(n):\n    return n and %s(n - 1)\n' % (name, name), 'brief', 'exec'),
             space)
        space[name](i % 5)


def code():
    for i in range(25):
        exec(MODULE, {})
        eval(EXPRESSION, {})
        makes_class()
        inside_comprehensions()
    short_lived()


STEPS = STEPS + [generators, throwing, closing, coroutines, ending_coroutines, code]  # noqa: F821
if sys.flags.optimize:
    raise SystemExit('asserts are part of it')
