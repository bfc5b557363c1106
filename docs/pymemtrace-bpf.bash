# SPDX-License-Identifier: MIT
# bash completion for pymemtrace-bpf
# shellcheck shell=bash

_pymemtrace_bpf_pids() {
	# a process whose program is named python*; `list` knows more, but asks for root
	local p
	for p in /proc/[0-9]*; do
		case $(readlink "$p/exe" 2>/dev/null) in
		*/python*) printf '%s\n' "${p#/proc/}" ;;
		esac
	done
}

_pymemtrace_bpf() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local command=stat options
	case ${COMP_WORDS[1]:-} in
	snapshot | list | diff | doctor) command=${COMP_WORDS[1]} ;;
	esac
	COMPREPLY=()
	case $prev in
	-p | --pid)
		mapfile -t COMPREPLY < <(compgen -W "$(_pymemtrace_bpf_pids)" -- "$cur")
		return ;;
	--format)
		mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur")
		return ;;
	-o | --output)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	-i | --interval | -n | --reports | -d | --duration | --top | --sort | --include | --exclude)
		return ;;
	esac
	options='--output --force --format --quiet --verbose --help'
	case $command in
	stat) options+=' --pid --children --interval --reports --duration --pause --strict --include --exclude --as-root --' ;;
	snapshot) options+=' --pid --children --pause --strict --include --exclude' ;;
	list) options+=' --pid --children --top --sort --include --exclude' ;;
	diff) options+=' --strict' ;;
	esac
	if [[ $cur == -* ]]; then
		[ "$COMP_CWORD" = 1 ] && options+=' --version --json-schema'
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
	elif [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W 'stat snapshot list diff doctor help' -- "$cur")
	elif [ "$command" = diff ]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}

complete -F _pymemtrace_bpf pymemtrace-bpf
