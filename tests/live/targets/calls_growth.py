# SPDX-License-Identifier: MIT
"""Steps of targets/growth.py for entry and exit: what a call grew by with all that it called, the most
in one call, and whose growth it is behind a call that has ended, by whatever way.

`filled` grows in C, without a call of Python's: nothing but the end of a call can tell what comes next.
"""


def prepared(pages):
    """Memory, and what it is to be filled with."""
    return fresh(pages), slice(None, None, PAGE), ONES[:pages]  # noqa: F821


def sized(m, where, what):
    m[where] = what


def step_whole_sized():
    for pages in (10, 50, 20):
        sized(*prepared(pages))
    truth('sized', 80), totals(sized=80), largest(sized=50)  # noqa: F821


def nest(n):
    m, where, what = prepared(3)
    m[where] = what
    if n:
        nest(n - 1)
    m, where, what = prepared(2)
    m[where] = what


def ping(n):
    m, where, what = prepared(4)
    m[where] = what
    return n and pong(n - 1)


def pong(n):
    m, where, what = prepared(7)
    m[where] = what
    return n and ping(n - 1)


def step_whole_recursion():
    nest(19)
    ping(9)
    truth('nest', 100, own=4 + 20 // 8), truth('ping', 20), truth('pong', 35)  # noqa: F821
    totals(nest=100, ping=55, pong=51), largest(nest=100, ping=55, pong=51)  # noqa: F821


def grows_and_raises():
    m, where, what = prepared(12)
    m[where] = what
    raise KeyError


def passes_growth_on():
    m, where, what = prepared(5)
    m[where] = what
    grows_and_raises()


def catches_growth():
    m, where, what = prepared(9)
    try:
        passes_growth_on()
    except KeyError:
        m[where] = what


def step_whole_exceptions():
    for i in range(3):
        catches_growth()
    truth('grows_and_raises', 36), truth('passes_growth_on', 15)  # noqa: F821
    truth('catches_growth', 27), totals(passes_growth_on=51, catches_growth=78)  # noqa: F821
    largest(grows_and_raises=12, passes_growth_on=17, catches_growth=26)  # noqa: F821


def returns_early(n):
    return n


def grows_after_return():
    """What a function returned from keeps is not what comes after it."""
    m, where, what = prepared(23)
    returns_early(1)
    m[where] = what


def step_whole_return():
    grows_after_return()
    truth('grows_after_return', 23), totals(returns_early=0)  # noqa: F821
    largest(returns_early=0, grows_after_return=23)  # noqa: F821


def grows_between(n):
    for i in range(1, n + 1):
        m, where, what = prepared(6 * i)
        m[where] = what
        yield i


def closed_growth():
    try:
        m, where, what = prepared(8)
        m[where] = what
        yield 1
    finally:
        m, where, what = prepared(11)
        m[where] = what


def consumes_growth():
    m, where, what = prepared(14)
    for i in grows_between(4):
        pass
    m[where] = what
    m, where, what = prepared(13)
    g = closed_growth()
    next(g)
    g.close()
    m[where] = what


def step_whole_generators():
    consumes_growth()
    truth('grows_between', 60), truth('consumes_growth', 27)  # noqa: F821
    totals(grows_between=60, consumes_growth=106)  # noqa: F821
    largest(grows_between=24, consumes_growth=106)  # noqa: F821
    truth('closed_growth', 19)  # noqa: F821


def frees(m):
    m.close()


def grows_and_frees():
    m, where, what = prepared(40)
    KEEP.pop()  # noqa: F821
    m[where] = what
    m.close()


def step_whole_free():
    m, where, what = prepared(30)
    KEEP.pop()  # noqa: F821
    m[where] = what
    frees(m)
    for i in range(3):
        grows_and_frees()
    truth('step_whole_free', 30), truth('frees', 0, 30)  # noqa: F821
    truth('grows_and_frees', 120, 120)  # noqa: F821
    totals(frees=-30, grows_and_frees=0), largest(frees=-30, grows_and_frees=0)  # noqa: F821


def makes_bytes():
    return bytearray(40 << 20)


def drops_bytes():
    a = makes_bytes()
    del a


def step_whole_bytes():
    """malloc gives them a mapping of their own, and gives it back at once."""
    drops_bytes()
    truth('makes_bytes', 10241), truth('drops_bytes', 0, 10241)  # noqa: F821
    totals(drops_bytes=0), largest(makes_bytes=10241, drops_bytes=0)  # noqa: F821


def in_callback(i):
    m, where, what = prepared(i)
    m[where] = what
    return i


def has_callback():
    m, where, what = prepared(31)
    sorted(range(1, 6), key=in_callback)
    m[where] = what


def step_whole_callbacks():
    has_callback()
    truth('in_callback', 15), truth('has_callback', 31)  # noqa: F821
    totals(in_callback=15, has_callback=46), largest(in_callback=5, has_callback=46)  # noqa: F821
