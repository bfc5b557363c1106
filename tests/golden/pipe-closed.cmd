# `| head` that has gone: one sentence, no signal. A FIFO whose only reader is closed before the write.
folder=$(mktemp -d)
mkfifo "$folder/pipe"
# shellcheck disable=SC2094  # that is the point
exec 3<>"$folder/pipe" 4>"$folder/pipe" 3<&-
rm -r "$folder"
"$PMT" diff --format json "$DATA/3.12.1.a.json" "$DATA/3.12.1.b.json" >&4
echo "$?"
