"$PMT" stat --help >/dev/full
