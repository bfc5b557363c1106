"$PMT" -n 0 -p 1
