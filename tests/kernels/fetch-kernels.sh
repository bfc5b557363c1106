#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Fetches Debian's stock cloud kernels into a folder: DIR/6.1/vmlinuz, DIR/6.12/vmlinuz, DIR/7/vmlinuz.
#
# usage: fetch-kernels.sh DIR [SERIES...]      (default series: 6.1 6.12 7)
#
# Prints a line per kernel:  SERIES<TAB>path of vmlinuz<TAB>package_version
# What is there already is not fetched again. apt works with lists and archives of its own in a
# temporary folder: this machine's sources and caches are neither needed nor changed.
set -euo pipefail

[ $# -gt 0 ] || { echo "usage: ${0##*/} DIR [SERIES...]" >&2 && exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift
series=("$@")
[ ${#series[@]} -gt 0 ] || series=(6.1 6.12 7)

# Suites of a series, and the package. Point versions leave the archive within weeks, so they are
# matched, not named. linux-image-* of 7 is empty: the image itself is in linux-binary-*.
declare -A suites=([6.1]="bookworm bookworm-security" [6.12]="trixie trixie-security" [7]="forky")
declare -A packages=(
	[6.1]='^linux-image-6\.1\.[0-9.-]+-cloud-amd64-unsigned$'
	[6.12]='^linux-image-6\.12\.[0-9.]+\+deb13[0-9.]*-cloud-amd64-unsigned$'
	[7]='^linux-binary-unsigned-7\.[0-9.]+\+deb[0-9.]+-cloud-amd64$'
)

mirror=$(awk '/^URIs:/ { print $2; exit } /^deb / { print $2; exit }' \
	/etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null || true)
: "${mirror:=http://deb.debian.org/debian}"
mirror=${mirror%/}

private() { # STATE PROGRAM ARG...
	local state=$1 program=$2
	shift 2
	"$program" -qq -o Dir::State="$state" -o Dir::State::status="$state/status" \
		-o Dir::Cache="$state" -o Dir::Etc::sourcelist="$state/sources.list" \
		-o Dir::Etc::sourceparts=- -o Acquire::Languages=none -o APT::Sandbox::User=root \
		-o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
		-o Acquire::Check-Valid-Until=false "$@"
}

fetch() { # SERIES DEST
	local state=$tmp/$1 suite package deb
	mkdir -p "$state/lists/partial" "$state/archives/partial" "$state/debs" "$2"
	: >"$state/status"
	for suite in ${suites[$1]}; do
		case $suite in
		*-security) echo "deb ${mirror%/debian}/debian-security $suite main" ;;
		*) echo "deb $mirror $suite main" ;;
		esac
	done >"$state/sources.list"
	private "$state" apt-get update >&2
	private "$state" apt-cache pkgnames linux- | { grep -E "${packages[$1]}" || true; } |
		sort -rV >"$state/names"
	# the newest; if the list is ahead of the archive, one of those before it
	while read -r package; do
		(cd "$state/debs" && private "$state" apt-get download "$package" >&2) || continue
		deb=$(find "$state/debs" -name '*.deb' -print -quit)
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$state" --wildcards '*/vmlinuz*'
		find "$state/boot" "$state/usr" "$state/lib" -name 'vmlinuz*' -type f \
			-exec mv {} "$2/vmlinuz" \; 2>/dev/null || true
		echo "$package"_"$(dpkg-deb -f "$deb" Version)" >"$2/package"
		[ ! -s "$2/vmlinuz" ] || return 0
	done < <(head -n 4 "$state/names")
	echo "${0##*/}: no kernel $1 to be had from $mirror (${suites[$1]})" >&2
	return 1
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for s in "${series[@]}"; do
	[ -n "${suites[$s]-}" ] || { echo "${0##*/}: unknown series '$s'" >&2 && exit 2; }
	(
		flock 9
		if [ ! -e "$dir/$s/.complete" ]; then
			rm -rf "${dir:?}/$s" "$dir/$s.part"
			fetch "$s" "$dir/$s.part"
			touch "$dir/$s.part/.complete"
			mv "$dir/$s.part" "$dir/$s"
		fi
	) 9>"$dir/.$s.lock"
	printf '%s\t%s\t%s\n' "$s" "$dir/$s/vmlinuz" "$(cat "$dir/$s/package")"
done
