#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `go tool pprof -top` makes of a file, against the JSON of the same profile.

usage: pprof.py TOP JSON GROWTH|SHRINK      TOP: its output with -unit=B -nodecount=0 -nodefraction=0

     flat  flat%   sum%        cum   cum%
100667392B 53.53% 53.53% 100667392B 53.53%  JSONDecoder.raw_decode
"""

import collections
import json
import sys

CAUSES = {
    "no_thread": "[no Python thread]", "no_frame": "[no Python frame]",
    "not_ready": "[interpreter not ready]", "walk_failed": "[stack could not be read]",
    "other_task": "[by another task]", "exec": "[program replaced]",
    "table_full": "[table of stacks full]", "record_lost": "[stack lost]",
    "remainder": "[sampling remainder]", "unexplained": "[unexplained]",
    "no_stack": "[of the memory cgroup]",
}


def figure(text):
    return int(text.rstrip("B")) if text != "0" else 0


def read_top(path):
    """name -> [flat, cum]"""
    rows = collections.defaultdict(lambda: [0, 0])
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.split()[:2] == ["flat", "flat%"]:
                break
        for line in lines:
            flat, _, _, cum, _, name = line.strip().split(None, 5)
            name = name.removesuffix(" (inline)")
            rows[name][0] += figure(flat)
            rows[name][1] += figure(cum)
    return rows


def read_json(path, what):
    with open(path, encoding="utf-8") as f:
        doc = json.load(f)
    rows = collections.defaultdict(lambda: [0, 0])
    seen = collections.Counter()
    for f in doc["functions"]:
        if f["event"] == "rss":
            seen[f["function"]] += 1
            rows[f["function"]][0] += f[f"self_{what}_bytes"]
            rows[f["function"]][1] += f[f"total_{what}_bytes"]
    for cause, change in doc["attribution"]["rss"]["causes"].items():
        rows[CAUSES[cause]] = [change[f"{what}_bytes"]] * 2
    truncated = {i for i, s in enumerate(doc["stacks"]) if s["truncated"]}
    rows["[truncated]"] = [0, sum(r[f"{what}_bytes"] for r in doc["rows"]
                                  if r["event"] == "rss" and r["stack"] in truncated)]
    # two functions of one name are one to pprof: what both are part of it counts once
    return {name: row for name, row in rows.items() if seen[name] < 2 and any(row)}


def main():
    top, path, what = sys.argv[1:]
    got, want = read_top(top), read_json(path, what)
    got = {name: row for name, row in got.items() if any(row)}
    bad = [f"{name}: {got.get(name)} instead of {row}" for name, row in want.items()
           if got.get(name) != row]
    bad += [f"{name}: not in our figures" for name in got if name not in want]
    if bad or not want:
        print(f"not ok pprof reads {what}: " + "; ".join(bad[:5]))
        return 1
    print(f"ok pprof reads {what}: {len(want)} functions and causes")
    return 0


sys.exit(main())
