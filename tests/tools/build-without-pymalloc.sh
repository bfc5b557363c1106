#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Builds a CPython --without-pymalloc from Debian's source package, for tests/tools/interpreters.sh,
# into $PMT_CACHE/without-pymalloc (/var/cache/pymemtrace-bpf-tests). Takes minutes, so nothing runs
# it unasked. Needs apt, a mirror, gcc and make; installs nothing into the system.
#
# usage: build-without-pymalloc.sh [SUITE [SOURCE-PACKAGE]]     (default: bookworm python3.11)
set -euo pipefail

suite=${1:-bookworm}
package=${2:-python3.11}
cache=${PMT_CACHE:-/var/cache/pymemtrace-bpf-tests}
out=$cache/without-pymalloc
mkdir -p "$cache"

exec 9>"$cache/.without-pymalloc.lock"
flock 9
[ ! -e "$out/.complete" ] || exit 0

mirror=$(awk '/^URIs:/ { print $2; exit } /^deb / { print $2; exit }' \
	/etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null || true)
: "${mirror:=http://deb.debian.org/debian}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/src"
: >"$work/status"
echo "deb-src $mirror $suite main" >"$work/sources.list"

private_apt() {
	apt-get -qq -o Dir::State="$work" -o Dir::State::status="$work/status" \
		-o Dir::Cache="$work" -o Dir::Etc::sourcelist="$work/sources.list" \
		-o Dir::Etc::sourceparts=- -o Acquire::Check-Valid-Until=false \
		-o APT::Sandbox::User=root "$@"
}

private_apt update
cd "$work/src"
# upstream's tarball alone: Debian's patches change nothing that matters here
private_apt source --download-only "$package"
tar -xf "$package"_*.orig.tar.*
cd -- */
./configure --quiet --without-pymalloc --without-ensurepip --disable-test-modules CFLAGS='-O1 -g' \
	>"$work/configure.log" 2>&1 || {
	tail -20 "$work/configure.log" >&2
	exit 1
}
make -s -j"$(nproc)" >"$work/make.log" 2>&1 || {
	tail -20 "$work/make.log" >&2
	exit 1
}
rm -rf "$out" "$out.part"
make -s altbininstall libinstall sharedinstall DESTDIR="$out.part" >"$work/install.log" 2>&1 || {
	tail -20 "$work/install.log" >&2
	exit 1
}

# what chroot(1) needs besides
mkdir -p "$out.part"/{tmp,proc,dev}
rm -rf "$out.part"/usr/local/lib/python3.*/test
ldd "$out.part"/usr/local/bin/python3.*[0-9] "$out.part"/usr/local/lib/python3.*/lib-dynload/*.so |
	awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// && $2 ~ /^\(/ { print $1 }' | sort -u |
	while read -r file; do
		install -D -m 755 "$(realpath "$file")" "$out.part$file"
	done
touch "$out.part/.complete"
mv "$out.part" "$out"
