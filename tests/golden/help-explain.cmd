"$PMT" explain --help
