"$PMT" report --help
