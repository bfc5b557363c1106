# SPDX-License-Identifier: MIT
"""A target's functions, called in every way there is, as often each time: on any CPython from 3.6.

targets/counted.py runs its STEPS and those of yields.py, counted by the interpreter itself or not at
all. Nothing returns None through a `finally`: a hook could not tell that from an exception.
"""
import functools
import gc
import os
import signal
import sys
import threading
import weakref


# --- calls and exceptions ---------------------------------------------------------------------

def plain(a):
    return a


def keywords(a, b=2, *more, c=3, **rest):
    return a + b + c + len(more) + len(rest)


def closure(x):
    def inner(y):
        return x + y
    return inner


def factorial(n):
    return 1 if n <= 1 else n * factorial(n - 1)


def even(n):
    return n == 0 or odd(n - 1)


def odd(n):
    return n != 0 and even(n - 1)


def calls():
    for i in range(1000):
        plain(i)
    for i in range(100):
        keywords(i)
        keywords(i, 4, 5, c=1, z=2)
        closure(i)(3)
        (lambda: i)()
    for i in range(3):
        factorial(200)
        even(151)


def raises(what):
    raise what


def passes_on(what):
    raises(what)


def catches():
    try:
        passes_on(ValueError())
    except ValueError:
        return 1


def raises_again():
    try:
        raises(KeyError())
    except KeyError:
        raise


def finally_calls():
    try:
        raises(ValueError())
    finally:
        plain(0)


def returns_through_finally():
    try:
        return plain(2)
    finally:
        plain(3)


def from_the_bottom(n):
    if not n:
        raise IndexError
    from_the_bottom(n - 1)


def halfway(n):
    """Every tenth of its calls stops what comes from below, and goes on as if nothing had been."""
    try:
        if not n:
            raise IndexError
        halfway(n - 1)
    except IndexError:
        if n % 10:
            raise
        raises_in_c(n)


def raises_in_c(n):
    try:
        int('x%d' % n)
    except ValueError:
        return n


class Context:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return True


def exceptions():
    for i in range(100):
        catches()
        returns_through_finally()
        for f in (raises_again, finally_calls):
            try:
                f()
            except (KeyError, ValueError):
                pass
        with Context():
            raises(OSError())
    for i in range(5):
        try:
            from_the_bottom(90)
        except IndexError:
            pass
        halfway(90)


def deep(n):
    return n and 1 + deep(n - 1)


def deep_and_out(n):
    if not n:
        raise LookupError
    deep_and_out(n - 1)


def deep_calls():
    """10,000 calls in each other, in a thread that has the stack for it."""
    old = sys.getrecursionlimit()
    sys.setrecursionlimit(30000)
    try:
        assert deep(10000) == 10000
        deep_and_out(10000)
    except LookupError:
        plain(0)
    finally:
        sys.setrecursionlimit(old)


def in_thread(f):
    old = threading.stack_size(256 << 20)
    t = threading.Thread(target=f)
    t.start()
    threading.stack_size(old)
    t.join()


# --- what C calls -----------------------------------------------------------------------------

def key(x):
    return -x


def less(a, b):
    return (a > b) - (a < b)


def add(a, b):
    return a + b


@functools.lru_cache(None)
def cached(x):
    return x


def collected(phase, info):
    return phase


def on_signal(number, frame):
    return number


def gone(reference):
    return 1


class Hookless:
    pass


def callbacks():
    sorted(range(200), key=key), max(range(20), key=key)
    sorted([3, 1, 2], key=functools.cmp_to_key(less))
    list(map(plain, range(200))), list(filter(plain, range(10)))
    functools.reduce(add, range(100)), functools.reduce(lambda a, b: a + b, range(50))
    list(iter(functools.partial(plain, 0), 0))
    for i in range(40):
        cached(i % 5)
    cached.cache_clear()
    gc.callbacks.append(collected)
    for i in range(3):
        gc.collect()
    gc.callbacks.remove(collected)
    signal.signal(signal.SIGUSR2, on_signal)
    for i in range(20):
        os.kill(os.getpid(), signal.SIGUSR2)
        plain(i)
    for i in range(20):
        x = Hookless()
        r = weakref.ref(x, gone)
        del x
        r()


class Base:
    def __init__(self):
        self.base = 1


class Special(Base):
    def __new__(cls, *args):
        return super().__new__(cls)

    def __init__(self, x=1):
        super().__init__()
        self.x = x

    def __del__(self):
        self.x = None

    def __add__(self, other):
        return self

    def __radd__(self, other):
        return self

    def __getattr__(self, name):
        return len(name)

    def __eq__(self, other):
        return True

    def __lt__(self, other):
        return False

    def __hash__(self):
        return 5

    def __bool__(self):
        return True

    def __len__(self):
        return 3

    def __contains__(self, x):
        return x == 1

    def __call__(self, x):
        return x

    def __repr__(self):
        return 'special'

    def __format__(self, spec):
        return spec

    def __index__(self):
        return 1

    def __iter__(self):
        return self

    def __next__(self):
        raise StopIteration

    @property
    def both(self):
        return self.x

    @both.setter
    def both(self, value):
        self.x = value

    @classmethod
    def of_class(cls):
        return cls

    @staticmethod
    def of_none():
        return 2

    def method(self):
        return self


class Sequence:
    __slots__ = ()

    def __getitem__(self, i):
        if i >= 3:
            raise IndexError
        return i


class Refuses:
    def __init__(self):
        raise TypeError


class Missing(dict):
    def __missing__(self, name):
        return name


class Meta(type):
    def __new__(cls, name, bases, space):
        return super().__new__(cls, name, bases, space)

    def __call__(cls, *args):
        return super().__call__(*args)


class Slot:
    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner):
        return 1


def objects():
    for i in range(60):
        s = Special(i)
        s + s, 1 + s, s.absent, s == s, {s: 1}, bool(s), len(s), 1 in s, s(1), [0, 1][s]
        s.both, s.of_class(), s.of_none(), s.method().method(), list(s), sorted([s, s])
        s.both = 2
        repr(s), format(s, 'x'), Missing()[1]
        list(Sequence()), Sequence()[1]
        try:
            Refuses()
        except TypeError:
            pass
    del s
    for i in range(10):
        made_by_meta()


def made_by_meta():
    class Root:
        def __init_subclass__(cls):
            cls.seen = 1

    class Made(Root, metaclass=Meta):
        slot = Slot()

        def __init__(self):
            self.x = self.slot
    return Made()


STEPS = [calls, exceptions, functools.partial(in_thread, deep_calls), callbacks, objects]
