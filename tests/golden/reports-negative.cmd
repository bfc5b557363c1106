"$PMT" -n -1 -p 1
