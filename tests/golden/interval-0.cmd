"$PMT" -i 0 -p 1
