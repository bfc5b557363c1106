#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Boots a kernel in qemu (no KVM, no network, no modules), runs a command in it as root, and ends with
# the command's status.
#
# usage: run-kernel.sh [-m MIB] [-c CPUS] [-t SECONDS] [-w DIR] [-a SRC[:DEST]]... VMLINUZ ROOT COMMAND...
#
#   -a  add a file or folder to the guest, at DEST (default /opt/t/NAME); the shared libraries of
#       programs that ROOT lacks go to /opt/t/lib, which is in the guest's LD_LIBRARY_PATH
#   -w  keep the disk and the kernel's log in DIR (default: a temporary folder, removed)
#   -m  memory, default 1024: below 512 the kernel switches huge pages off
#   -t  limit for one boot, default 300
#
# COMMAND's output is on stdout; the kernel's messages are in DIR/kernel.log. Exit: COMMAND's status,
# 124 out of time, 125 the guest could not start or died.
#
# ROOT becomes an ext4 image (mke2fs -d: neither root nor a loop device needed) on an NVMe disk:
# Debian's cloud kernels have both built in, while virtio-blk is a module. An initramfs would not do:
# its file pages count as RssShmem. Two serial lines: ttyS0 is the kernel's log, ttyS1 COMMAND's output.
set -euo pipefail

fail() {
	echo "run-kernel: $*" >&2
	exit 125
}

mem=1024 cpus=2 limit=300 work='' adds=()
while getopts m:c:t:w:a: option; do
	case $option in
	m) mem=$OPTARG ;;
	c) cpus=$OPTARG ;;
	t) limit=$OPTARG ;;
	w) work=$OPTARG ;;
	a) adds+=("$OPTARG") ;;
	*) exit 125 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 3 ] || fail "usage: run-kernel.sh [OPTION...] VMLINUZ ROOT COMMAND..."
kernel=$1 root=$2
shift 2
[ -f "$kernel" ] || fail "no kernel $kernel"
[ -d "$root" ] || fail "no root folder $root"

PATH=$PATH:/usr/sbin:/sbin
qemu=${QEMU:-qemu-system-x86_64}
for tool in "$qemu" busybox mke2fs debugfs ldd; do
	command -v "$tool" >/dev/null || fail "no $tool"
done

keep=$work
[ -n "$work" ] || work=$(mktemp -d)
mkdir -p "$work"
work=$(cd "$work" && pwd)
add=$work/add
qemu_pid=''

# shellcheck disable=SC2317  # called by the trap
clean_up() {
	[ -z "$qemu_pid" ] || kill "$qemu_pid" 2>/dev/null || true
	rm -rf "$add"
	[ -n "$keep" ] || rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 125' INT TERM HUP

# --- what is added to ROOT ------------------------------------------------------------------------

root_has_library() {
	[ -n "$(find "$root"/usr/lib "$root"/lib/ -name "$1" -print -quit 2>/dev/null)" ]
}

# "	libelf.so.1 => /lib/x86_64-linux-gnu/libelf.so.1 (0x00007f...)"
add_libraries() {
	local library
	{ ldd "$1" 2>/dev/null || true; } | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | while read -r library; do
		root_has_library "${library##*/}" ||
			cp -L "$library" "$add/opt/t/lib/${library##*/}"
	done
}

rm -rf "$add"
mkdir -p "$add/opt/t/lib"
cp -L "$(command -v busybox)" "$add/opt/t/busybox"
for a in "${adds[@]+"${adds[@]}"}"; do
	src=${a%%:*}
	dest=/opt/t/$(basename "$src")
	[ "$a" = "$src" ] || dest=${a#*:}
	[ -e "$src" ] || fail "nothing to add at $src"
	mkdir -p "$add$(dirname "$dest")"
	cp -rL --preserve=mode "$src" "$add$dest"
	find -L "$src" -type f -perm -u+x | while read -r f; do
		add_libraries "$f"
	done
done

{
	printf '#!/opt/t/busybox sh\nexec'
	printf ' %q' "$@"
	echo
} >"$add/opt/t/command"

# The status goes through the kernel's log: one whole line with a time, whatever COMMAND printed.
cat >"$add/opt/t/init" <<'INIT'
#!/opt/t/busybox sh
B=/opt/t/busybox
$B mount -t proc proc /proc
$B mount -t sysfs sysfs /sys
$B mount -t devtmpfs devtmpfs /dev 2>/dev/null # the kernel may have done it
$B mkdir -p /dev/shm /opt/t/bin /var/tmp # roots may lack the last
$B mount -t tmpfs tmpfs /dev/shm
$B mount -t tmpfs tmpfs /run
$B mount -t tracefs tracefs /sys/kernel/tracing
$B mount -t bpf bpf /sys/fs/bpf
$B ip link set lo up
$B --install -s /opt/t/bin
$B stty -F /dev/ttyS1 raw -echo
exec </dev/null >/dev/ttyS1 2>&1
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/opt/t/bin HOME=/tmp LD_LIBRARY_PATH=/opt/t/lib
echo '<5>run-kernel: start' >/dev/kmsg
cd /tmp
$B sh /opt/t/command
status=$?
$B sync
echo "<5>run-kernel: status $status" >/dev/kmsg
$B mount -o remount,ro /
$B poweroff -f
INIT
chmod 755 "$add/opt/t/init" "$add/opt/t/command"

# --- the disk -------------------------------------------------------------------------------------

size=$(du -sm --apparent-size "$root" "$add" | awk '{ sum += $1 } END { print sum + sum / 4 + 384 }')
rm -f "$work/disk"
mke2fs -q -t ext4 -O ^has_journal,^metadata_csum -E root_owner=0:0 -m 0 -d "$root" \
	"$work/disk" "${size%.*}M" >/dev/null || fail "mke2fs failed"

# debugfs writes our files beside ROOT's without touching ROOT itself.
(
	cd "$add"
	for d in dev proc sys run tmp; do
		[ -d "$root/$d" ] || echo "mkdir /$d"
	done
	find . -mindepth 1 -type d -printf '%P\n' | while read -r d; do
		[ -d "$root/$d" ] || echo "mkdir \"/$d\""
	done
	find . -type f -printf '%P\n' | while read -r f; do
		[ ! -e "$root/$f" ] || echo "rm \"/$f\""
		# "write" puts the file into the current folder only
		printf 'cd "/%s"\nwrite "%s" "%s"\n' "$(dirname "$f")" "$add/$f" "$(basename "$f")"
	done
) >"$work/debugfs"
debugfs -w -f "$work/debugfs" "$work/disk" 2>&1 >/dev/null | grep -v '^debugfs [0-9]' >&2 &&
	fail "debugfs failed"

# --- boot -----------------------------------------------------------------------------------------

# All CPUs in one thread: with a thread each, qemu 7.2 may go on running what it translated before
# another CPU patched it, and tracing patches the kernel all the time. Then a CPU loops on a breakpoint
# that is no longer there ("soft lockup").
boot() {
	local status=0
	: >"$work/kernel.log"
	timeout -k 5 "$limit" "$qemu" -nodefaults -no-reboot -display none \
		-accel "${ACCEL:-tcg,thread=single}" -cpu "${CPU:-max,la57=off}" -smp "$cpus" -m "$mem" \
		-drive "file=$work/disk,format=raw,if=none,id=disk,cache=unsafe" \
		-device nvme,drive=disk,serial=root \
		-serial "file:$work/kernel.log" -serial stdio \
		-kernel "$kernel" -append "console=ttyS0 panic=-1 loglevel=6 printk.devkmsg=on \
mitigations=off nokaslr random.trust_cpu=on root=/dev/nvme0n1 rootfstype=ext4 rw init=/opt/t/init" \
		</dev/null 2>"$work/qemu.err" &
	qemu_pid=$!
	wait "$qemu_pid" || status=$?
	qemu_pid=''
	return $status
}

# qemu's emulation sometimes breaks a kernel while it patches itself at boot (a few in a hundred). If
# init never ran, nothing of COMMAND was done, and booting again is no second chance for a test.
for _ in 1 2 3; do
	ended=0
	boot || ended=$?
	if grep -q 'run-kernel: start' "$work/kernel.log" || [ "$ended" = 124 ]; then
		break
	fi
	cp "$work/kernel.log" "$work/kernel.failed.log"
	echo "run-kernel: the kernel died before init" >&2
done

status=$(sed -n 's/.*run-kernel: status \([0-9][0-9]*\)[[:space:]]*$/\1/p' "$work/kernel.log" | tail -n 1)
[ -z "$status" ] || exit "$status"
cat "$work/qemu.err" >&2
tail -n 15 "$work/kernel.log" >&2
[ "$ended" != 124 ] || { echo "run-kernel: out of time after $limit s" >&2 && exit 124; }
fail "the guest ended without a status"
