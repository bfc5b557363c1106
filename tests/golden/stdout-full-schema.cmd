"$PMT" --json-schema >/dev/full
