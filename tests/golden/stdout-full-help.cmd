"$PMT" --help >/dev/full
