"$PMT" help
