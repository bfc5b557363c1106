#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The include rule and who may print, for every file of user/, bpf/ and include/; also that no file of
# user/ grows beyond 450 lines. Prints what breaks them; exit status 1 if anything does.
#
# usage: layers.sh [TREE]      (default: the one it is in)
set -uo pipefail
cd "${1:-$(dirname "$0")/../..}" || exit 2
max_lines=450

# What a layer may include besides the C library and the kernel's own <linux/*>. Its own headers come
# first; <bpf/*> and the skeleton are trace's alone.
declare -A may=(
	[base]='base/'
	[model]='model/ base/ pymemtrace/events.h'
	[target]='target/ model/ base/'
	[python]='python/ target/ model/ base/ pymemtrace/layout.h pymemtrace/calls_abi.h'
	[glibc]='glibc/ target/ model/ base/'
	[trace]='trace/ model/ base/ pymemtrace/ bpf/ pymemtrace.skel.h'
	[output]='output/ model/ base/'
	[cmd]='cmd/ trace/ python/ glibc/ target/ output/ model/ base/ pymemtrace/'
	[main]='cmd/ output/ base/'
	[bpf]='.bpf.h vmlinux.h bpf/bpf_ pymemtrace/'
	[include]='pymemtrace/'
)
bad=0

say() {
	echo "$*"
	bad=1
}

allowed() { # LAYER HEADER
	local word
	for word in ${may[$1]}; do
		case $2 in
		"$word"*) return 0 ;;
		esac
		# common.bpf.h, without a folder
		if [ "$word" = .bpf.h ] && [[ $2 == *.bpf.h && $2 != */* ]]; then
			return 0
		fi
	done
	return 1
}

# "user/cmd/diff.c:4:#include "cmd/cmd.h"" -> file, line, header
check_includes() {
	local file line text header layer
	while IFS=: read -r file line text; do
		header=${text#*[<\"]}
		header=${header%%[>\"]*}
		case $file in
		user/main.c) layer=main ;;
		user/*/*) layer=${file#user/} layer=${layer%%/*} ;;
		*) layer=${file%%/*} ;;
		esac
		if [ -z "${may[$layer]-}" ]; then
			say "$file: '$layer' is no layer"
			continue
		fi
		# the C library and the kernel's: in angle brackets, and not a folder of ours or libbpf's
		if [[ $text == *'<'* ]]; then
			case $header in
			bpf/* | pymemtrace/* | pymemtrace.skel.h | *.bpf.h) ;;
			base/* | model/* | target/* | python/* | glibc/* | trace/* | output/* | cmd/*)
				say "$file:$line: <$header> is ours: \"$header\"" ;;
			*) continue ;;
			esac
		fi
		allowed "$layer" "$header" || say "$file:$line: $layer must not include $header"
	done < <(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]' \
		user/main.c user/*/*.[ch] bpf/*.[ch] include/pymemtrace/*.h)
}

# user/base/log.c is the trace of -vv, genlayout a program of its own.
check_printing() {
	local file line text
	while IFS=: read -r file line text; do
		case $file in
		user/cmd/* | user/main.c | user/base/log.c | user/python/genlayout.c) continue ;;
		esac
		[[ $text =~ ^[[:space:]]*(\*|/\*) || $text =~ /\*.*(printf|stdout|stderr) ]] && continue
		say "$file:$line: only user/cmd prints: $text"
	done < <(grep -nE '(^|[^a-z_0-9"])(v?printf|puts|putchar|perror|psignal|error|warnx?|errx?) ?\(|[(, ](stdout|stderr)[),;]' \
		user/main.c user/*/*.[ch])
}

check_sizes() {
	local lines file
	while read -r lines file; do
		[ "$file" = total ] || [ "$lines" -le $max_lines ] ||
			say "$file: $lines lines, more than $max_lines"
	done < <(wc -l user/main.c user/*/*.[ch])
}

# comments above say why: the first line of every source names its licence
check_licences() {
	local file want
	for file in user/main.c user/*/*.[ch] bpf/*.[ch] include/pymemtrace/*.h tests/*/*.[ch] vmlinux/*.c; do
		want='/* SPDX-License-Identifier: MIT */'
		case $file in
		bpf/*.c) want='/* SPDX-License-Identifier: GPL-2.0-only OR MIT */' ;;
		bpf/*.h) want='/* SPDX-License-Identifier: *MIT */' ;;
		esac
		# shellcheck disable=SC2053
		[[ $(head -n 1 "$file") == $want ]] || say "$file: its first line is not $want"
	done
}

shopt -s nullglob
check_includes
check_printing
check_sizes
check_licences
exit $bad
