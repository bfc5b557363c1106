# SPDX-License-Identifier: MIT
"""Programs whose functions keep memory, some more than others: leaders.py objects|arrays.
Each line of stdin lets it go on, from READY to work to DONE to its end."""
import json
import sys


def documents():
    """Parsed JSON: the most."""
    text = json.dumps([{'id': i, 'name': 'document %d' % i, 'tags': ['a', 'b']} for i in range(500)])
    kept = []
    for _ in range(200):
        kept.append(json.loads(text))
    return kept


def index():
    """A table of short lists."""
    table = {}
    for i in range(150000):
        table[i] = [i]
    return table


def texts():
    """Strings of some hundred characters."""
    kept = []
    for i in range(40000):
        kept.append('%06d ' % i * 30)
    return kept


def buffers():
    """A few large objects, which come from the C library."""
    kept = []
    for _ in range(8):
        kept.append(bytes(b'x' * 600000))
    return kept


def passing():
    """Much, but nothing of it stays."""
    for _ in range(20):
        text = b'y' * 3000000
    return len(text)


def objects():
    return documents(), index(), texts(), buffers(), passing()


def arrays():
    import numpy

    def matrix():
        return numpy.ones((6000, 2000))

    def summed(a):
        return a[:3000] + a[3000:]

    def noise():
        return numpy.random.default_rng(1).random(2500000)

    def reserved():
        """Never touched: no page of it is resident."""
        return numpy.empty(20000000)

    def in_passing(a):
        """Comes and goes before all the others are there."""
        return float((a * 2.0)[0, 0])

    a = matrix()
    in_passing(a)
    return a, summed(a), noise(), reserved()


print('READY', flush=True)
sys.stdin.readline()
keep = globals()[sys.argv[1]]()
print('DONE', flush=True)
sys.stdin.readline()
