# SPDX-License-Identifier: MIT
"""A program with a leak, for the demo: a request cache without a limit, and work that comes in
bursts and gives its memory back. It ends by itself after a minute."""
import json
import threading
import time

CACHE = {}


def handle(number):
    """A request: parse, compute, and remember the answer for ever."""
    body = json.loads(json.dumps({"id": number, "tags": ["a%d" % number, "b"], "body": "x" * 50}))
    CACHE[number] = body
    return body


def burst():
    """Takes memory and gives it back."""
    rows = [{"row": i, "name": "row %d" % i} for i in range(40000)]
    rows.sort(key=lambda r: -r["row"])


def main():
    end = time.monotonic() + 60
    number = 0
    while time.monotonic() < end:
        for _ in range(2500):
            handle(number)
            number += 1
        if number % 10000 == 0:
            worker = threading.Thread(target=burst)
            worker.start()
            worker.join()
        time.sleep(0.25)


main()
