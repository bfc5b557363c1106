#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# `make bench`: measures what watching and reading cost, beside other tools, and writes a report.
#
# usage: bench.sh [REPORT [PART...]]  (default docs/overhead.md, all parts that bench.py names;
#                                      BUILD: where the binary is)
#
# memray, pymemtrace and pyperformance come from PyPI into a virtual environment in $PMT_CACHE. Takes
# about half an hour and 5 GiB of memory; ends with status 1 if a promise of the documentation was
# not kept.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
export BUILD=${BUILD:-$top/build}
export PMT_CACHE=${PMT_CACHE:-/var/cache/pymemtrace-bpf-tests}
report=${1:-$top/docs/overhead.md}
[ $# = 0 ] || shift

stop() {
	echo "bench: $*" >&2
	exit 1
}

[ "$(id -u)" = 0 ] || stop "needs root"
[ -x "$BUILD/pymemtrace-bpf" ] || stop "there is no $BUILD/pymemtrace-bpf"
for tool in python3 objdump ldd; do
	command -v "$tool" >/dev/null || stop "no $tool"
done
mkdir -p "$PMT_CACHE" "$BUILD/tests/bench" "$(dirname "$report")"

"${CC:-cc}" -O2 -Wall "$top/tests/bench/trapcost.c" -o "$BUILD/tests/bench/trapcost" -lbpf

# The interpreter whose programs are measured: the same in the virtual environment.
python=$("$top/tests/tools/interpreters.sh" 'pyenv-3.12*' | grep -v '^#' | head -n 1 | cut -f3)
python=${python:-/usr/bin/python3.11}
[ -x "$python" ] || stop "no $python"
venv=$PMT_CACHE/bench-$(basename "$python")
packages="memray pymemtrace pyperformance django" # the last: what a program of pyperformance needs

pip_version() {
	"$venv/bin/pip" show "$1" 2>/dev/null | sed -n 's/^Version: //p'
}

# pymemtrace makes warnings errors at the end of its compiler options, where CFLAGS cannot undo it.
make_venv() {
	local log=$PMT_CACHE/bench-pip.log package
	"$python" -m venv --clear "$venv"
	# shellcheck disable=SC2016  # meant for the script that is written here
	printf '#!/bin/bash\nargs=()\nfor a; do [ "$a" = -Werror ] || args+=("$a"); done\nexec %s "${args[@]}"\n' \
		"${CC:-cc}" >"$venv/bin/cc-without-werror"
	chmod +x "$venv/bin/cc-without-werror"
	: >"$venv/versions"
	: >"$venv/missing"
	for package in $packages; do
		if CC=$venv/bin/cc-without-werror "$venv/bin/pip" install --quiet "$package" >"$log" 2>&1; then
			echo "$package $(pip_version "$package")" >>"$venv/versions"
		else
			echo "$package $(grep -v '^\[notice\]' "$log" | tail -n 1)" >>"$venv/missing"
		fi
	done
	echo "$packages" >"$venv/.complete"
}
if [ "$(cat "$venv/.complete" 2>/dev/null)" != "$packages" ] || [ -s "$venv/missing" ]; then
	echo "bench: $packages into $venv" >&2
	make_venv || stop "no virtual environment: python3-venv is missing?"
fi

exec python3 -B "$top/tests/bench/bench.py" "$report" "$venv" "$BUILD/tests/bench/trapcost" "$@"
