# SPDX-License-Identifier: MIT
"""Line tables and, for every instruction, the line that the interpreter itself finds in them.

    python3.X record_lines.py [FILE.py...] | gzip -9n >tests/fixtures/lines/3.X.gz

Runs on any CPython from 3.6. Without files it compiles the source below, which has what is hard for
each format, and adds tables of chance. One code object is two lines:

    code NAME FIRST_LINE SIZE_OF_CODE TABLE_IN_HEX
    lines 2+1*3 4-

the second in steps: so many bytes further on the line is so much more than before ("-": there is
none), the whole so many times. The truth is PyCode_Addr2Line() of the interpreter.
"""
import ctypes
import random
import sys

MIXED = '''
import sys

@staticmethod
def decorated(a,
              b=[i
                 for i in range(3)],
              *c):
    """Doc."""
    try:
        for i in a:
            with open(
                i
            ) as f, \\
                 open(b) as g:
                yield (f,
                       g,
                       lambda x: (x,

                                  x + 1))
            if i: continue
            else: break
    except (ValueError,
            KeyError) as e:
        return
    else:
        a = 1; b = 2
    finally:
        print(a,
              b,
              c(1,
                2)(
                3))
    while True:
        if a and \\
           b or (
               c):
            pass
        else:
            raise ValueError(
                'x'
                'y')

class C(object,
        metaclass=type):
    x: int = 1
    @property
    @classmethod
    def f(self): return {k:
                         v for k,
                         v in self.x if k
                         if v}

    async def g(self, x):
        async with x as y:
            async for z in y:
                await self.g(
                    [q async for q in z
                     if await q])
                yield z
        return

def backward(a): return a(
    1)[
    2](x=
       a.b
       .c
       .d)

def one_line(): x = 1; y = x + 1; return [x for x in (y, y)] if y else (lambda: x)
'''

NEWER = [
    ((3, 8), '''
def walrus(a, /, b):
    if (n :=
            a(b)) > 1:
        return f"{n}{b!r:>{n}}"
'''),
    ((3, 10), '''
def matching(a):
    match a:
        case {"x": [1, *rest],
              "y": C(x=
                     1)} if rest:
            return rest
        case None | (1,
                     2):
            pass
        case _:
            return 0
'''),
    ((3, 11), '''
def groups(a):
    try:
        a()
    except* (ValueError,
             TypeError) as g:
        print(g)
    except* OSError:
        pass
'''),
    ((3, 12), '''
def generic[T: int](a: T) -> T:
    return f"{a}{
        a + 1
    }"
type X[T] = list[
    T]
'''),
]


def far_apart():
    """Jumps of lines and of bytes over what one entry holds, forwards and backwards."""
    lines = ['def far(a):']
    for gap in (1, 2, 62, 63, 64, 125, 126, 127, 128, 129, 253, 254, 255, 256, 257, 500, 2047, 2048,
                5000):
        lines += [''] * gap + ['    a(1)']
        lines += ['    x = a(a(1,'] + [''] * gap + ['            2),', '          a)(3)']
    # one line with a lot of code, and one with a lot of it at a distance
    for n in (20, 63, 64, 65, 130, 300):
        lines.append('    a([' + ', '.join(['a(a, a)'] * n) + '])')
        lines += [''] * 300
    lines.append('    return a')
    return '\n'.join(lines) + '\n'


def long_function(n):
    lines = ['def long(a, b):']
    for i in range(n):
        lines.append('    if a == %d:' % i)
        lines.append('        b = (a +')
        lines.append('             %d)' % i)
        lines += [''] * (i % 5)
    return '\n'.join(lines) + '\n'


def long_module(n):
    lines = []
    while len(lines) < n:
        i = len(lines)
        lines += ['x%d = %d' % (i % 10, i), 'f(x%d,' % (i % 10), '  {1: x1, 2: x2})', '']
    return '\n'.join(lines) + '\n'


def long_columns():
    pad = ' ' * 130
    return 'def wide(a):\n' + ''.join(
        '    a(%s1, %s2)\n' % (pad * k, pad) for k in range(4))


def objects(code):
    yield code
    for c in code.co_consts:
        if isinstance(c, type(code)):
            for inner in objects(c):
                yield inner


addr2line = ctypes.pythonapi.PyCode_Addr2Line
addr2line.argtypes = (ctypes.py_object, ctypes.c_int)
addr2line.restype = ctypes.c_int


def table_of(code):
    return code.co_linetable if sys.version_info >= (3, 10) else code.co_lnotab


def own_lines(code):
    """The same by the interpreter's Python code: both must agree, or the record is worth nothing."""
    size = len(code.co_code)
    if hasattr(code, 'co_lines'):
        found = [0] * size
        for start, end, line in code.co_lines():
            found[start:end] = [line or 0] * (end - start)
        return found
    import dis
    starts = dict(dis.findlinestarts(code))
    found, line = [], code.co_firstlineno
    for i in range(size):
        line = starts.get(i, line)
        found.append(line)
    return found


def record(code, size=None, check=True):
    if size is None:
        size = len(code.co_code)
    truth = [max(0, addr2line(code, i)) for i in range(0, size, 2)]
    if check:
        assert truth == [max(0, n) for n in own_lines(code)[::2]], code
    text, at, line = [], 0, 0
    for i, n in enumerate(truth):
        if i and n == truth[i - 1]:
            continue
        step = '%d%s' % (2 * i - at, '%+d' % (n - line) if n else '-')
        at, line = 2 * i, n or line
        if text and text[-1][0] == step:
            text[-1][1] += 1
        else:
            text.append([step, 1])
    print('code %s %d %d %s' % (code.co_name.replace(' ', '_'), code.co_firstlineno, size,
                                table_of(code).hex() or '-'))
    print('lines ' + ' '.join(s if n == 1 else '%s*%d' % (s, n) for s, n in text))


def varint(n, out):
    while n >= 64:
        out.append(64 | n & 63)
        n >>= 6
    out.append(n)


def random_location(r, out):
    kind = r.choice([0, 3, 9, 10, 11, 12, 13, 13, 14, 14, 15])
    out.append(128 | kind << 3 | r.randrange(8))
    if kind in (13, 14):
        n = r.choice([0, 1, 5, 31, 32, 40, 900, 70000])
        varint(n << 1 | (r.random() < .3), out)
    if kind == 14:
        for limit in (3, 200, 5000):
            varint(r.randrange(limit), out)
    for _ in range(2 if 10 <= kind <= 12 else 1 if kind < 10 else 0):
        out.append(r.randrange(128))


def with_table(code, first_line, table):
    if sys.version_info >= (3, 8):
        name = 'co_linetable' if sys.version_info >= (3, 10) else 'co_lnotab'
        return code.replace(co_firstlineno=first_line, **{name: table})
    return type(code)(code.co_argcount, code.co_kwonlyargcount, code.co_nlocals, code.co_stacksize,
                      code.co_flags, code.co_code, code.co_consts, code.co_names, code.co_varnames,
                      code.co_filename, code.co_name, first_line, table)


def random_tables(seed):
    """Tables that no compiler writes, and every reader must read alike."""
    def f():
        pass
    r = random.Random(seed)
    for i in range(150):
        out = []
        for _ in range(r.randrange(40)):
            if sys.version_info >= (3, 11):
                random_location(r, out)
            else:
                out += [r.choice([0, 2, 2, 4, 6, 254]) if sys.version_info >= (3, 10)
                        else r.choice([0, 1, 2, 6, 255]),
                        r.choice([0, 1, 2, 127, 128, 129, 255, r.randrange(256)])]
        if sys.version_info[:2] == (3, 10):
            out += [2, 1]  # it reads on past a table that ends with an entry of no bytes
        code = with_table(f.__code__, r.choice([1, 100, 100000]), bytes(out))
        record(code, 400, check=False)


def main():
    sources = []
    for name in sys.argv[1:]:
        with open(name, 'rb') as f:
            sources.append(f.read())
    chosen = bool(sources)
    if not chosen:
        sources = [MIXED, far_apart(), long_function(700), long_columns(), long_module(20000), '']
        sources += [text for version, text in NEWER if sys.version_info >= version]
    print('version %#x' % sys.hexversion)
    for source in sources:
        try:
            code = compile(source, '<source>', 'exec', dont_inherit=True)
        except (SyntaxError, ValueError):
            if not chosen:
                raise
            continue  # a file that is to fail, such as lib2to3's
        for c in objects(code):
            record(c)
    if not chosen:
        random_tables(sys.version_info[1])


main()
