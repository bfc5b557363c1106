#!/bin/sh
# SPDX-License-Identifier: MIT
# The demo: starts a sample program, watches it for three reports, and ends by itself.
# DEMO_BINARY: the program to show. DEMO_PYTHON: an interpreter (default: python3 of the system).
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
binary=${DEMO_BINARY:-$top/build/pymemtrace-bpf}
python=${DEMO_PYTHON:-/usr/bin/python3}

if [ "$(id -u)" != 0 ]; then
	echo "demo: needs root: BPF programs and another process's memory" >&2
	exit 1
fi
"$binary" doctor >/dev/null || {
	"$binary" doctor
	exit 1
}
"$python" "$top/tests/tools/demo.py" &
app=$!
trap 'kill "$app" 2>/dev/null; wait "$app" 2>/dev/null' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "\$ $python demo.py &       # a cache that never forgets, and threads that work in bursts"
echo "\$ sudo pymemtrace-bpf -p $app -i 5 -n 3"
echo
"$binary" -p "$app" -i 5 -n 3 || exit 1
echo
echo "\$ sudo pymemtrace-bpf list -p $app"
"$binary" list -p "$app"
