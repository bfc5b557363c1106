"$PMT" calls
