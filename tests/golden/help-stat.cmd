"$PMT" stat --help
