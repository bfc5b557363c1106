"$PMT" doctor --help
