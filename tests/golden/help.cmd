"$PMT" --help
