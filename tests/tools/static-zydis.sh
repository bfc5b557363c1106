#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Builds the static library of Zydis that Debian does not package, from the source package of the
# installed libzydis-dev.
#
# usage: static-zydis.sh OUT.a
#
# Only members that are used get linked, and a decoder uses nothing of Zycore but its headers. The
# source is kept in $PMT_CACHE (/var/cache/pymemtrace-bpf-tests), or beside OUT where that cannot be
# written. apt works with lists of its own in a temporary folder; the mirror is the one it already uses.
set -euo pipefail

[ $# = 1 ] || { echo "usage: ${0##*/} OUT.a" >&2 && exit 2; }
mkdir -p "$(dirname "$1")"
out=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cache=${PMT_CACHE:-/var/cache/pymemtrace-bpf-tests}
if ! mkdir -p "$cache" 2>/dev/null || ! [ -w "$cache" ]; then
	cache=$(dirname "$out")
fi

# shellcheck disable=SC2016  # dpkg-query expands it
version=$(dpkg-query -W -f '${source:Version}' libzydis-dev)
upstream=${version%-*}
source=$cache/zydis_$upstream.orig.tar.gz
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

private_apt() {
	apt-get -qq -o Dir::State="$work" -o Dir::State::status="$work/status" \
		-o Dir::Cache="$work" -o Dir::Etc::sourcelist="$work/sources.list" \
		-o Dir::Etc::sourceparts=- -o Acquire::Languages=none \
		-o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root "$@" >&2
}

fetch() {
	local codename mirror
	# shellcheck disable=SC1091
	codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
	# shellcheck disable=SC2016  # apt-get expands it
	mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' \
		"Codename: $codename" | head -n 1)
	[ -n "$mirror" ] || {
		echo "${0##*/}: apt knows no mirror of Debian's $codename; apt-get update?" >&2
		exit 1
	}
	mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/src"
	: >"$work/status"
	echo "deb-src $mirror $codename main" >"$work/sources.list"
	private_apt update
	# apt checks it against the signed index
	(cd "$work/src" && private_apt source --download-only "zydis=$version")
	mv "$work/src/zydis_$upstream".orig.tar.gz "$source.part"
	mv "$source.part" "$source"
}

[ -s "$source" ] || fetch
mkdir -p "$work/tree" "$work/objects"
tar -xf "$source" -C "$work/tree" --strip-components=1
cd "$work/tree"
for f in src/*.c; do
	${CC:-gcc} -O2 -DZYDIS_STATIC_BUILD -DZYCORE_STATIC_BUILD -Iinclude -Isrc -c "$f" \
		-o "$work/objects/$(basename "$f" .c).o"
done
rm -f "$out.part"
ar rcs "$out.part" "$work"/objects/*.o
mv "$out.part" "$out"
