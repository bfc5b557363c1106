#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The CPython interpreters that the live tests can use on this machine, a line each:
#
#	NAME<TAB>ROOT<TAB>PATH<TAB>VERSION<TAB>SHAPE
#	pyenv-3.12.1	/	/root/.pyenv/versions/3.12.1/bin/python3.12	3.12.1	symbols
#	stripped-3.12.1	/var/cache/.../stripped-3.12.1	/root/.pyenv/...	3.12.1	stripped
#
# PATH is to be run in ROOT (chroot, unless that is /). SHAPE: symbols, stripped, debug (Py_DEBUG),
# without-pymalloc. What is not there is a line "#missing NAME why".
#
# usage: interpreters.sh [PATTERN...]    names to print, as shell patterns; default: all
#
# Roots are made when they are asked for and kept in $PMT_CACHE (/var/cache/pymemtrace-bpf-tests).
# Needs root; for Debian's suites also mmdebstrap and a mirror.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${PMT_CACHE:-/var/cache/pymemtrace-bpf-tests}
patterns=("$@")
mkdir -p "$cache"

wanted() {
	local name=$1 p
	[ ${#patterns[@]} -gt 0 ] || return 0
	for p in "${patterns[@]}"; do
		# shellcheck disable=SC2053  # a pattern it is meant to be
		[[ $name == $p ]] && return 0
	done
	return 1
}

missing() {
	printf '#missing %s %s\n' "$1" "$2"
}

# Runs a command under a lock, and stops it at its first failure; called bare, because `set -e` is off
# inside conditions. Leaves its status in $status.
run_locked() {
	local lock=$1
	shift
	set +e
	(
		set -e
		flock 9
		"$@"
	) 9>"$lock"
	status=$?
	set -e
}

# name root path shape; the version is the interpreter's own word, and proof that it runs
print_interpreter() {
	local name=$1 root=$2 path=$3 shape=$4 version
	local run=("$path")
	[ "$root" = / ] || run=(chroot "$root" "$path")
	if version=$("${run[@]}" -c 'import platform; print(platform.python_version())' \
		2>/dev/null </dev/null); then
		printf '%s\t%s\t%s\t%s\t%s\n' "$name" "$root" "$path" "$version" "$shape"
	else
		missing "$name" "'${run[*]}' does not run"
	fi
}

# A file and what its path goes through, into the root at the same place.
copy_file() {
	local root=$1 file=$2
	[ -e "$root$file" ] || install -D -m 755 "$(realpath "$file")" "$root$file"
}

copy_libraries() {
	local root=$1 file
	shift
	# "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x...)", "/lib64/ld-linux-x86-64.so.2 (0x...)"
	ldd "$@" 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// && $2 ~ /^\(/ { print $1 }' |
		sort -u | while read -r file; do
		copy_file "$root" "$file"
	done
}

# What glibc loads when a thread ends by pthread_exit(), as it does until 3.8.
add_libgcc() {
	local file
	# "libgcc_s.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libgcc_s.so.1"; to the end, for pipefail
	file=$(ldconfig -p | awk '$1 == "libgcc_s.so.1" && /x86-64/ && !n++ { print $NF }')
	[ -z "$file" ] || copy_file "$1" "$file"
}

# Only .dynsym is left of the symbols, as in the official container images.
make_stripped_root() {
	local prefix=$1 minor=$2 root=$3 part=$3.part lib
	[ ! -e "$root/.complete" ] || return 0
	rm -rf "$root" "$part"
	mkdir -p "$part"/{tmp,proc,dev,etc} "$part$prefix/bin" "$part$prefix/lib"
	chmod 1777 "$part/tmp"
	# hard links where the cache is on the same file system
	cp -al "$prefix/lib/python$minor" "$part$prefix/lib/" 2>/dev/null ||
		cp -a "$prefix/lib/python$minor" "$part$prefix/lib/"
	rm -rf "$part$prefix/lib/python$minor"/{test,site-packages,config-*,idlelib,ensurepip}
	mkdir "$part$prefix/lib/python$minor/site-packages"
	strip --strip-all -o "$part$prefix/bin/python$minor" "$(realpath "$prefix/bin/python$minor")"
	for lib in "$prefix"/lib/libpython"$minor"*.so.*; do
		[ -e "$lib" ] || continue
		# the source may be write-protected, and strip keeps the mode
		strip --strip-all -o "$part$lib" "$lib"
	done
	copy_libraries "$part" "$prefix/bin/python$minor" \
		"$prefix/lib/python$minor"/lib-dynload/*.so
	touch "$part/.complete"
	mv "$part" "$root"
}

list_pyenv() {
	local root=${PYENV_ROOT:-$HOME/.pyenv} prefix version minor found=0
	for prefix in "$root"/versions/3.*; do
		version=${prefix##*/}
		minor=${version%.*}
		[ -x "$prefix/bin/python$minor" ] || continue
		found=1
		if wanted "pyenv-$version"; then
			print_interpreter "pyenv-$version" / "$prefix/bin/python$minor" symbols
		fi
		wanted "stripped-$version" || continue
		run_locked "$cache/.stripped-$version.lock" \
			make_stripped_root "$prefix" "$minor" "$cache/stripped-$version"
		if [ "$status" != 0 ]; then
			missing "stripped-$version" "copying failed"
			continue
		fi
		run_locked "$cache/.stripped-$version.lock" add_libgcc "$cache/stripped-$version"
		print_interpreter "stripped-$version" "$cache/stripped-$version" \
			"$prefix/bin/python$minor" stripped
	done
	[ $found = 1 ] || missing pyenv "nothing in $root/versions"
}

list_system() {
	local py found=0
	for py in /usr/bin/python3.[0-9] /usr/bin/python3.[0-9][0-9]; do
		[ -x "$py" ] || continue
		found=1
		wanted "system-${py##*/python}" || continue
		if readelf -WS "$py" 2>/dev/null | grep -c '\.symtab' >/dev/null; then
			print_interpreter "system-${py##*/python}" / "$py" symbols
		else
			print_interpreter "system-${py##*/python}" / "$py" stripped
		fi
	done
	[ $found = 1 ] || missing system "no /usr/bin/python3.X"
}

# Suites and the interpreters to expect there (python-roots.sh knows how to get them).
list_suites() {
	local row suite minors minor name need
	for row in "bullseye 3.9" "bookworm 3.11" "trixie 3.13" "forky 3.14 3.15"; do
		read -r suite minors <<<"$row"
		need=0
		for minor in $minors; do
			wanted "$suite-$minor" && need=1
		done
		[ $need = 1 ] || continue
		"$here/python-roots.sh" "$cache" "$suite" >/dev/null 2>"$cache/.$suite.log" || true
		for minor in $minors; do
			name=$suite-$minor
			wanted "$name" || continue
			if [ -x "$cache/$suite/usr/bin/python$minor" ]; then
				print_interpreter "$name" "$cache/$suite" "/usr/bin/python$minor" \
					stripped
			else
				missing "$name" "not unpacked, see $cache/.$suite.log"
			fi
		done
	done
}

# The suite's root with its Py_DEBUG build on top; that has DWARF and symbols of its own.
make_debug_root() {
	local suite=$1 root=$2 part=$2.part
	[ ! -e "$root/.complete" ] || return 0
	"$here/python-roots.sh" --debug "$cache" "$suite" >/dev/null 2>"$cache/.$suite.log"
	rm -rf "$root" "$part"
	cp -al "$cache/$suite" "$part"
	cp -a "$cache/$suite-debug/usr/bin/." "$part/usr/bin/"
	if [ -d "$cache/$suite-debug/usr/lib" ]; then
		(cd "$cache/$suite-debug/usr/lib" && cp -a --parents python3*/lib-dynload \
			"$part/usr/lib/" 2>/dev/null) || true
	fi
	mv "$part" "$root"
}

list_debug_builds() {
	local row suite minor name root
	for row in "bookworm 3.11" "trixie 3.13"; do
		read -r suite minor <<<"$row"
		name=debug-$minor
		root=$cache/$name
		wanted "$name" || continue
		run_locked "$cache/.$name.lock" make_debug_root "$suite" "$root"
		if [ "$status" = 0 ] && [ -x "$root/usr/bin/python${minor}d" ]; then
			print_interpreter "$name" "$root" "/usr/bin/python${minor}d" debug
		else
			missing "$name" "not unpacked, see $cache/.$suite.log"
		fi
	done
}

list_without_pymalloc() {
	local name=without-pymalloc py
	wanted $name || return 0
	for py in "$cache/$name"/usr/local/bin/python3.[0-9] \
		"$cache/$name"/usr/local/bin/python3.[0-9][0-9]; do
		[ -x "$py" ] || continue
		print_interpreter $name "$cache/$name" "${py#"$cache/$name"}" without-pymalloc
		return 0
	done
	missing $name "build it with tests/tools/build-without-pymalloc.sh"
}

list_pyenv
list_system
list_suites
list_debug_builds
list_without_pymalloc
