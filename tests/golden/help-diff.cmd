"$PMT" diff --help
