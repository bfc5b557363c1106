"$PMT" calls --help
