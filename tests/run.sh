#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the layers of tests named on the command line (default: all) and ends with one line:
#   N passed, N failed, N skipped
# A test that cannot run says why; that is a failure when REQUIRE (comma list) names its layer.
#
# A test is any executable below tests/<layer>/ or build/tests/<layer>/. It prints one line a case,
#   ok NAME | not ok NAME: why | skip NAME: why | absent NAME: why
# or is a cmocka binary, whose own lines are counted. "absent" is an optional subject (an interpreter
# that this machine happens not to have): named and counted as skipped, never a failure.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$top/build}
layers=("$@")
[ ${#layers[@]} -gt 0 ] || layers=(unit golden bpf live fuzz kernels)
passed=0 failed=0 skipped=0
failures=()
log=$(mktemp)
trap 'rm -f "$log"' EXIT

required() { case ",${REQUIRE:-}," in *",$1,"*) return 0 ;; esac; return 1; }

skip() { # LAYER NAME WHY
	if required "$1"; then
		failed=$((failed + 1))
		failures+=("$1/$2 was skipped, but REQUIRE names $1: $3")
		echo "FAIL $1/$2: skipped, but required: $3"
	else
		skipped=$((skipped + 1))
		echo "skip $1/$2: $3"
	fi
}

# Counts the cases that a test's output ($log) reports; $3 is its exit status.
count() { # LAYER NAME STATUS
	local layer=$1 name=$2 status=$3 line ok=0 bad=0
	while IFS= read -r line; do
		case $line in
		'ok '* | '[       OK ]'*) ok=$((ok + 1)) ;;
		'not ok '*) bad=$((bad + 1)) failures+=("$layer/$name: ${line#not ok }") ;;
		'[  FAILED  ]'*': '* | '[  FAILED  ] '*'test(s)'*) ;; # cmocka's summary
		'[  FAILED  ]'*) bad=$((bad + 1)) failures+=("$layer/$name: ${line#*] }") ;;
		'skip '*) skip "$layer" "$name" "${line#skip }" ;;
		'absent '*) skipped=$((skipped + 1)); echo "absent $layer/$name: ${line#absent }" ;;
		'[  SKIPPED ]'*' test(s)'*) ;;
		'[  SKIPPED ] pyenv '* | '[  SKIPPED ] /'*) # an interpreter that need not be there
			skipped=$((skipped + 1))
			echo "absent $layer/$name: ${line#*] }" ;;
		'[  SKIPPED ]'*) skip "$layer" "$name" "${line#*] }" ;;
		esac
	done < <(sort -u "$log" | grep -E '^(ok|not ok|skip|absent) ' ; grep -aE '^\[ +(OK|FAILED|SKIPPED) +\]' "$log" | awk '!seen[$0]++')
	passed=$((passed + ok)) failed=$((failed + bad))
	if [ "$status" != 0 ] && [ $bad = 0 ]; then
		failed=$((failed + 1))
		failures+=("$layer/$name ended with status $status")
		bad=1
	fi
	if [ $bad != 0 ]; then
		echo "FAIL $layer/$name"
		# what failed comes last, where a log that is cut short still has it
		grep -aE '^ok ' -v "$log" | tail -n 40 | sed 's/^/    /'
		grep -aE '^(not ok |\[  FAILED  \])' "$log" | sed 's/^/    /'
	else
		echo "ok   $layer/$name ($ok)"
		grep -a '^# ' "$log" | sed 's/^/    /'
	fi
}

run_one() { # LAYER FILE
	local name
	name=$(basename "$2")
	"$2" >"$log" 2>&1 </dev/null
	count "$1" "$name" $?
}

for layer in "${layers[@]}"; do
	case $layer in
	bpf | live | kernels)
		if [ "$(id -u)" != 0 ]; then
			skip "$layer" all "not root"
			continue
		fi ;;
	esac
	found=
	for t in "$build/tests/$layer"/test_* "$top/tests/$layer"/test_*; do
		case $t in *.o | *.d | *.c | *'*') continue ;; esac
		{ [ -x "$t" ] && [ -f "$t" ]; } || continue
		found=1
		run_one "$layer" "$t"
	done
	[ -n "$found" ] || skip "$layer" all "no test was built"
done

for f in "${failures[@]+"${failures[@]}"}"; do
	echo "failed: $f"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ] && [ $((passed + failed)) -gt 0 ]
