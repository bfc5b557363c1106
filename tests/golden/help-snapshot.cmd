"$PMT" snapshot --help
