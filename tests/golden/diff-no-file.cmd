"$PMT" diff
