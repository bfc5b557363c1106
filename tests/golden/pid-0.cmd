"$PMT" -p 0
