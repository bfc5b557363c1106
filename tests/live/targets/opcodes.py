"""Says what its opcodes are, and waits."""
import json
import opcode
import signal
import sys


def numbers():
    if sys.version_info < (3, 11):
        return {}
    try:
        import _opcode_metadata as m
        found = dict(m.opmap)
        found.update(m._specialized_opmap)
        return found
    except ImportError:
        found = dict(opcode.opmap)
    # Tools/build/generate_opcode_h.py: the specialised ones fill the gaps, in this order
    if sys.version_info < (3, 12):
        found['DO_TRACING'] = 255
    used, n = set(found.values()), 1
    for name in opcode._specialized_instructions:
        while n in used:
            n += 1
        used.add(n)
        found[name] = n
    return found


sys.stderr.write(json.dumps({k: v for k, v in numbers().items() if v < 256}))
sys.stderr.flush()
signal.pause()
