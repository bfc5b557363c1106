"$PMT" list --help
