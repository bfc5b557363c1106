# SPDX-License-Identifier: MIT
# bash completion for pymemtrace-bpf
# shellcheck shell=bash

# Processes whose program is named python*; `list` knows more, but asks for root.
_pymemtrace_bpf_pids() {
	local p
	for p in /proc/[0-9]*; do
		case $(readlink "$p/exe" 2>/dev/null) in
		*/python*) printf '%s\n' "${p#/proc/}" ;;
		esac
	done
}

# What follows -- is a command line of its own.
_pymemtrace_bpf_program() { # WORD-NUMBER-OF-PROGRAM CURRENT-WORD
	if declare -F _command_offset >/dev/null; then
		_command_offset "$1"
	elif [ "$COMP_CWORD" = "$1" ]; then
		mapfile -t COMPREPLY < <(compgen -c -- "$2")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$2")
		compopt -o filenames 2>/dev/null
	fi
}

_pymemtrace_bpf() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local command=stat options i
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [ "${COMP_WORDS[i]}" = -- ]; then
			_pymemtrace_bpf_program $((i + 1)) "$cur"
			return
		fi
	done
	case ${COMP_WORDS[1]:-} in
	record | calls | explain | snapshot | list | report | diff | doctor) command=${COMP_WORDS[1]} ;;
	esac
	# "--format=j" comes as three words
	if [ "$cur" = = ]; then
		cur=
	elif [ "$prev" = = ] && [ "$COMP_CWORD" -ge 3 ]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	case $prev in
	-p | --pid)
		# "12,34": the last is being typed, the others stay
		case $cur in
		*,*) i=${cur%,*}, ;;
		*) i= ;;
		esac
		mapfile -t COMPREPLY < <(compgen -P "$i" -W "$(_pymemtrace_bpf_pids)" -- "${cur##*,}")
		return ;;
	--format)
		i='text json'
		case $command in
		record) i='pmt text folded svg pprof speedscope json' ;;
		report) i='text folded svg pprof speedscope json' ;;
		explain) i='text json svg' ;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "$i" -- "$cur")
		return ;;
	--event)
		# "rss,ar": as with PIDs
		case $cur in
		*,*) i=${cur%,*}, ;;
		*) i= ;;
		esac
		local events='rss arena pool fault fault-minor fault-major fault-cow fault-huge
			mmap munmap mremap brk madvise madvise-dontneed madvise-free
			madvise-hugepage swap swap-out swap-in reclaim pressure pressure-cgroup
			pressure-host oom cgroup cgroup-high cgroup-max cgroup-oom'
		mapfile -t COMPREPLY < <(compgen -P "$i" -W "$events" -- "${cur##*,}")
		return ;;
	--by)
		mapfile -t COMPREPLY < <(compgen -W 'thread' -- "$cur")
		return ;;
	--min | --stacks | --depth | --tid | --threshold | --max-overhead)
		return ;;
	--log)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		compopt -o filenames 2>/dev/null
		return ;;
	--top)
		mapfile -t COMPREPLY < <(compgen -W 'all' -- "$cur")
		return ;;
	--sort)
		i='pid ns_pid ppid container version shape allocator arenas rss supported reason
			anon_bytes file_bytes shmem_bytes swap_bytes debug_build free_threaded
			layout exe command'
		[ "$command" != calls ] || i='self total largest calls resumes returns yields unwinds lost
			open growth shrink arenas pools self_ns total_ns name file first_line pid'
		[ "$command" != report ] || i='event function file first_line hot_line self_bytes
			self_growth_bytes self_shrink_bytes self_error_bytes total_bytes
			total_growth_bytes total_shrink_bytes events total_events'
		mapfile -t COMPREPLY < <(compgen -W "$i" -- "$cur")
		return ;;
	-o | --output)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames 2>/dev/null
		return ;;
	-i | --interval | -n | --reports | -d | --duration | --include | --exclude)
		return ;;
	esac
	options='--output --force --format --quiet --verbose --help'
	case $command in
	stat)
		options+=' --pid --children --interval --reports --duration --pause --strict'
		options+=' --include --exclude --top --as-root --'
		;;
	record)
		options+=' --pid --children --duration --event --exact --stacks --top --strict'
		options+=' --include --exclude --as-root --'
		;;
	calls)
		options+=' --pid --children --duration --include --exclude --depth --tid --time --log'
		options+=' --threshold --no-exits --max-overhead --allow-slow --top --sort --strict'
		options+=' --as-root --'
		;;
	explain)
		options+=' --pid --children --interval --reports --duration --pause --map --strict'
		options+=' --include --exclude'
		;;
	snapshot) options+=' --pid --children --pause --strict --include --exclude' ;;
	list) options+=' --pid --children --top --sort --include --exclude' ;;
	report) options+=' --event --inverted --by --min --top --sort --strict' ;;
	diff) options+=' --strict' ;;
	esac
	if [[ $cur == -* ]]; then
		[ "$COMP_CWORD" = 1 ] && options+=' --version --json-schema'
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
	elif [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W 'stat record calls explain snapshot list report diff doctor help' -- "$cur")
	elif [ "$command" = diff ] || [ "$command" = report ]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames 2>/dev/null
	fi
}

complete -F _pymemtrace_bpf pymemtrace-bpf
