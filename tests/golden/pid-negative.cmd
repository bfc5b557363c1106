"$PMT" -p -1
