"$PMT"
