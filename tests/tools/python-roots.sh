#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Unpacks distribution builds of CPython (stripped, LTO+PGO) into folders that chroot(1) can enter,
# one per Debian suite: DIR/trixie, DIR/forky. Installs nothing, runs no maintainer script.
#
# usage: python-roots.sh [--debug] DIR [SUITE...]      (default suites: trixie forky)
#
# --debug also unpacks the interpreters' separate debug files and debug builds into DIR/SUITE-debug
# (not into the root: an interpreter whose debug file is at hand is no longer a stripped one).
# Prints a line per interpreter:  ROOT<TAB>/usr/bin/python3.X<TAB>full version
# Needs root and the packages mmdebstrap and apt; the mirror is the one apt already uses here.
set -euo pipefail

usage() {
	echo "usage: ${0##*/} [--debug] DIR [SUITE...]" >&2
	exit 2
}

with_debug=0
if [ "${1-}" = --debug ]; then
	with_debug=1
	shift
fi
[ $# -gt 0 ] || usage
dir=$1
shift
suites=("$@")
[ ${#suites[@]} -gt 0 ] || suites=(trixie forky)

# The interpreters that make a suite worth unpacking.
declare -A wanted=([bullseye]="python3.9" [bookworm]="python3.11" [trixie]="python3.13"
	[forky]="python3.14 python3.15" [sid]="python3.14 python3.15")

mirror=$(awk '/^URIs:/ { print $2; exit } /^deb / { print $2; exit }' \
	/etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null || true)
: "${mirror:=http://deb.debian.org/debian}"

# Root and debug files come from the same sources, so that their builds are the same.
sources() {
	echo "deb $mirror $1 main"
	case $1 in
	bullseye | bookworm | trixie)
		echo "deb ${mirror%/debian}/debian-security $1-security main"
		;;
	esac
}

# A half-unpacked folder never gets its final name, so that interrupted runs leave nothing behind
# that looks complete.
unpack_root() {
	local suite=$1 root=$2 packages
	packages=${wanted[$suite]// /,}
	rm -rf "$root" "$root.part"
	# shellcheck disable=SC2016  # mmdebstrap expands $1
	mmdebstrap --quiet --variant=extract --aptopt='Acquire::Check-Valid-Until "false"' \
		--include="libc6,$packages" \
		--setup-hook='mkdir -p "$1/proc" "$1/tmp" "$1/usr/bin" "$1/usr/lib" "$1/usr/lib64" \
			"$1/usr/sbin"; for d in bin lib lib64 sbin; do ln -s "usr/$d" "$1/$d"; done' \
		"$suite" "$root.part" - >&2 < <(sources "$suite")
	touch "$root.part/.complete"
	mv "$root.part" "$root"
}

# apt with a state of its own: only `update` and `download`, nothing of this machine's is touched.
private_apt() {
	local state=$1
	shift
	apt-get -qq -o Dir::State="$state" -o Dir::State::status="$state/status" \
		-o Dir::Cache="$state" -o Dir::Etc::sourcelist="$state/sources.list" \
		-o Dir::Etc::sourceparts=- -o Acquire::Check-Valid-Until=false \
		-o APT::Sandbox::User=root "$@" >&2
}

unpack_debug() {
	local suite=$1 debug=$2 state py deb
	state=$(mktemp -d)
	# shellcheck disable=SC2064  # the value of now: it is local
	trap "rm -rf '$state'" EXIT
	mkdir -p "$state/lists/partial" "$state/archives/partial" "$state/debs"
	: >"$state/status"
	sources "$suite" >"$state/sources.list"
	private_apt "$state" update
	rm -rf "$debug" "$debug.part"
	mkdir -p "$debug.part"
	for py in ${wanted[$suite]}; do
		(cd "$state/debs" && private_apt "$state" download "$py-dbg" "$py-minimal")
	done
	for deb in "$state"/debs/*.deb; do
		echo "${deb##*/}" >>"$debug.part/packages"
		# not every package has all of these, and tar fails for those it does not find
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$debug.part" --wildcards \
			'./usr/bin/python3.*' './usr/lib/debug/*' \
			'./usr/lib/python3*/lib-dynload/*-[0-9]*d-*.so' 2>/dev/null || true
	done
	keep_interpreter_debug "$debug.part"
	touch "$debug.part/.complete"
	mv "$debug.part" "$debug"
}

# Of usr/lib/debug/.build-id only the files of interpreters and libpythons: those that define CPython's
# runtime. dwz's shared files are kept too.
keep_interpreter_debug() {
	local f
	find "$1/usr/lib/debug" -path '*/.build-id/*' -name '*.debug' | while read -r f; do
		# awk reads to the end: a pipe closed early would look like a failure of readelf
		readelf -Ws "$f" 2>/dev/null |
			awk '$8 == "_PyRuntime" && $7 != "UND" { n++ } END { exit !n }' || rm -f "$f"
	done
}

list_root() {
	local root=$1 py rel version
	for py in "$root"/usr/bin/python3.[0-9]*; do
		case $py in
		*-config | *[!0-9]) continue ;;
		esac
		rel=${py#"$root"}
		version=$(chroot "$root" "$rel" -c \
			'import platform; print(platform.python_version())') || continue
		printf '%s\t%s\t%s\n' "$root" "$rel" "$version"
	done
}

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
for suite in "${suites[@]}"; do
	[ -n "${wanted[$suite]-}" ] || {
		echo "${0##*/}: unknown suite '$suite'" >&2
		exit 2
	}
	(
		flock 9
		[ -e "$dir/$suite/.complete" ] || unpack_root "$suite" "$dir/$suite"
		if [ "$with_debug" = 1 ] && [ ! -e "$dir/$suite-debug/.complete" ]; then
			unpack_debug "$suite" "$dir/$suite-debug"
		fi
	) 9>"$dir/.$suite.lock"
	list_root "$dir/$suite"
done
