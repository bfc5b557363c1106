"$PMT" --version >/dev/full
