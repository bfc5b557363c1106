"$PMT" --version
