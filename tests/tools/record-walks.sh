#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Records the fixtures of tests/unit/test_walk.c: for each interpreter an image of what the walker reads
# of a small process, where its state is, and what the process printed itself at that moment.
#
# usage: record-walks.sh RECORDER [PATTERN...]	  (names as in interpreters.sh; as root)
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
recorder=${1:?usage: $0 RECORDER [PATTERN...]}
shift
out=$top/tests/fixtures/walk
mkdir -p "$out"
# It allocates nothing between its account and the wait.
source='import sys, signal
keep = [{i: str(i)} for i in range(50)]; gone = [(i,) * (i % 20) for i in range(200)]; del gone
d = sys._debugmallocstats; p = signal.pause; d(); p()'

"$top/tests/tools/interpreters.sh" "$@" | while IFS=$'\t' read -r name root path version shape; do
	case $name in '#missing'*) continue ;; esac
	text=$(mktemp)
	# shellcheck disable=SC2086  # two words or none
	chroot "$root" "$path" -I -S -c "$source" 2>"$text" </dev/null &
	pid=$!
	for _ in $(seq 500); do
		[ "$(cut -d' ' -f1 "/proc/$pid/syscall" 2>/dev/null)" = 34 ] && [ -s "$text" ] && break
		sleep 0.02
	done
	"$recorder" "$pid" "$out/$name"
	mv "$text" "$out/$name.txt"
	chmod 644 "$out/$name.txt"
	kill "$pid"
	wait "$pid" 2>/dev/null || true
	echo "$name $version $shape: $(stat -c %s "$out/$name.img.gz") bytes"
done
