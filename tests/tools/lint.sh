#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What `make lint` checks beyond the compiler's warnings. Each check prints its findings and one line:
#   ok NAME | not ok NAME
# Exit status 1 if any fails.
#
# usage: lint.sh [NAME...]      layers headers format tidy shell        (default: all)
#
# BUILD: where the generated skeleton is (build); tidy reads compile_commands.json.
# shellcheck disable=SC2317  # the checks are called by name
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
shopt -s nullglob
checks=("$@")
[ ${#checks[@]} -gt 0 ] || checks=(layers headers format tidy shell)
jobs=$(nproc)
build=${BUILD:-build}

check_layers() {
	tests/tools/layers.sh
}

# Every header includes what it needs: it compiles alone.
check_headers() {
	local bad=0 h
	for h in user/*/*.h include/pymemtrace/*.h tests/unit/*.h tests/bpf/*.h tests/fuzz/*.h; do
		# what BPF shares has the kernel's types from vmlinux.h there
		printf '#include <linux/types.h>\n#include "%s"\n' "$h" | "${CC:-gcc}" -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror \
			-Wno-unused-parameter -Wno-unused-function -I. -Iuser -Iinclude -I"$build" \
			-Itests/bpf -x c -fsyntax-only - || bad=1
	done
	return "$bad"
}

# Not what is generated.
check_format() {
	clang-format --dry-run -Werror user/main.c user/*/*.[ch] bpf/*.[ch] include/pymemtrace/*.h \
		tests/*/*.[ch] vmlinux/*.c
}

check_tidy() {
	printf '%s\n' user/main.c user/*/*.c |
		xargs -P "$jobs" -n 6 clang-tidy --quiet -p . 2>/dev/null
}

check_shell() {
	local f scripts=()
	for f in .ci/run tests/* tests/*/*; do
		[ -f "$f" ] || continue
		case $(head -c 20 "$f" | head -n 1 | tr -d '\0') in
		'#!/bin/sh' | '#!/usr/bin/env bash' | '#!/bin/bash' | '#!/usr/bin/env ba'*) scripts+=("$f") ;;
		esac
	done
	for f in tests/golden/*.cmd; do
		shellcheck -s bash -e SC2154 "$f" || return 1
	done
	shellcheck -x "${scripts[@]}"
}

failed=0
for c in "${checks[@]}"; do
	if "check_$c"; then
		echo "ok $c"
	else
		echo "not ok $c"
		failed=1
	fi
done
exit $failed
