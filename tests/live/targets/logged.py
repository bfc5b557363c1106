# SPDX-License-Identifier: MIT
"""A target's functions, called in an order that is the same each time: on any CPython from 3.6.

targets/call_log.py runs ALONE in the main thread, and each of THREADS in one of its own; two of
them at once contend for the GIL. ENTERING says how a generator will be entered next, which no hook
can see before 3.11; no other is dropped before its end, which would close it.
"""
import functools


# --- calls ------------------------------------------------------------------------------------

def plain(a):
    return a


def factorial(n):
    return 1 if n <= 1 else n * factorial(
        n - 1)


def even(n):
    return n == 0 or odd(n - 1)


def odd(n):
    return n != 0 and even(n - 1)


def keywords(a, b=2, *more, c=3, **rest):
    return (a,
            b, c)


def nested(n):
    def inner(m):
        def innermost():
            return n + m
        return innermost()
    return inner(n) + (lambda: n)()


def traced(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)
    return wrapper


@traced
@traced
def decorated(a):
    return a


@functools.lru_cache(
    maxsize=None
)
def cached(a):

    return a


class Thing:
    seen = [plain(i) for i in range(2)]

    def __init__(self, x):
        self.x = x

    def method(self):
        return self.x

    @property
    def twice(self):
        return 2 * self.method()

    @classmethod
    def made(cls, x):
        return cls(x)

    @staticmethod
    def still():
        return 1

    def __add__(self, other):
        return self.x + other.method()

    def __lt__(self, other):
        return self.x < other.x

    def __getattr__(self, name):
        return len(name)

    def __del__(self):
        plain(3)


def makes_class(n):
    class Made(Thing):
        y = plain(n)

        class Within:
            z = 1

            def method(self):
                return self.z

        def method(self):
            return super().method()
    return Made(n).method() + Made.Within().method()


def calls():
    for i in range(40):
        plain(i), keywords(i), keywords(i, 4, 5, c=1, z=2), nested(i), decorated(i)
    factorial(60), even(41)
    for i in range(3):
        cached(i), cached(i)
    cached.cache_clear()
    for i in range(20):
        t = Thing(i)
        t.method(), t.twice, t.made(i), t.still(), t + t, t.absent
    t = None
    sorted([Thing(3), Thing(1), Thing(2)])
    makes_class(1), makes_class(2)


def from_c():
    sorted(range(9), key=lambda x: -x), list(map(plain, range(5))), list(filter(plain, range(5)))
    functools.reduce(lambda a, b: a + b, range(6))


def comprehensions():
    [plain(i) for i in range(3)], {plain(i) for i in range(2)}, {i: plain(i) for i in range(2)}
    sum(plain(i) for i in range(3)), [[plain(j) for j in range(i)] for i in range(3)]
    list(plain(i)
         for i in range(2)
         if plain(i))


# --- exceptions -------------------------------------------------------------------------------

def raises(what):
    if what:
        raise what
    return 1


def passes_on(what):
    plain(1)
    raises(
        what)


def catches():
    try:
        passes_on(ValueError())
    except ValueError:
        return plain(2)


def raises_again():
    try:
        raises(KeyError())
    except KeyError:
        plain(3)
        raise


def cleans_up():
    try:
        raises(KeyError())
    finally:
        plain(4)


def from_the_bottom(n):
    if not n:
        return [][0]
    return from_the_bottom(n - 1) + 1


def halfway(n):
    try:
        if not n:
            raise IndexError
        halfway(n - 1)
    except IndexError:
        if n % 5:
            raise
        plain(n)


def fails_at_once():
    return [][0]


class Context:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return True


def exceptions():
    for i in range(8):
        catches()
        for f in (raises_again, cleans_up):
            try:
                f()
            except KeyError:
                plain(5)
        with Context():
            raises(OSError())
    for i in range(20):  # nothing else is called meanwhile, and its frame is at the same place
        try:
            fails_at_once()
        except IndexError:
            pass
    try:
        from_the_bottom(20)
    except IndexError:
        pass
    halfway(22)
    sorted([2, 1], key=plain)
    try:
        sorted([0, 0], key=raises), sorted([KeyError()], key=raises)
    except KeyError:
        pass


# --- generators -------------------------------------------------------------------------------

def counts(n):
    for i in range(n):
        yield i


def talks():
    got = 1
    while got:
        got = yield (
            got)
    return 7


def delegates(n):
    yield from counts(n)
    return (yield from talks())


def tree(n):
    if n:
        yield from tree(n - 1)
        yield n
        yield from tree(n - 1)


def fails(n):
    yield from range(n)
    raise KeyError


def generators():
    for i in range(8):
        for x in counts(4):
            plain(x)
        list(tree(3)), list(map(plain, counts(3)))
        g = delegates(2)
        next(g), next(g), next(g), g.send(3), g.send(4)
        try:
            g.send(0)
        except StopIteration as end:
            assert end.value == 7
        try:
            list(fails(2))
        except KeyError:
            plain(6)


class Turn:
    def __await__(self):
        yield 1
        return 2


async def at_once():
    return 1


async def waits():
    return await Turn() + await at_once()


async def produces(n):
    for i in range(n):
        await Turn()
        yield i


async def consumes():
    return [i async for i in produces(3)], await waits()


def coroutines():
    for i in range(6):
        for f in (at_once, waits, consumes):
            c = f()
            try:
                while True:
                    c.send(None)
            except StopIteration:
                plain(i)


# --- what enters a generator by an exception ---------------------------------------------------

def thrown():
    yield 1


def catches_thrown():
    try:
        yield 1
    except KeyError:
        yield plain(2)
    yield 3


def returns_thrown():
    try:
        yield 1
    except KeyError:
        plain(3)


def closed():
    yield 1


def closed_in_try():
    try:
        yield 1
    finally:
        plain(4)


def throw_into(function):
    g = function()
    next(g)
    try:
        ENTERING.append('throw')  # noqa: F821: call_log.py has it
        g.throw(KeyError())
        plain(len(list(g)))
    except (KeyError, StopIteration):
        plain(9)


def close_early(function):
    g = function()
    next(g)
    ENTERING.append('close')  # noqa: F821
    g.close()
    del ENTERING[:]  # noqa: F821: since 3.13 it may not be entered at all
    plain(8)


def throwing_and_closing():
    for i in range(3):
        for f in (thrown, catches_thrown, returns_thrown):
            throw_into(f)
        for f in (closed, closed_in_try):
            close_early(f)


# --- threads ----------------------------------------------------------------------------------

def first_thread():
    calls()
    exceptions()


def second_thread():
    generators()
    factorial(100)


def contends_left():
    for i in range(60):
        factorial(30), list(counts(5)), plain(i)


def contends_right():
    for i in range(60):
        even(29), list(tree(2)), plain(i)


ALONE = [calls, from_c, comprehensions, exceptions, generators, coroutines, throwing_and_closing]
THREADS = [[first_thread], [second_thread], [contends_left, contends_right]]
