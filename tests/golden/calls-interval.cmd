"$PMT" calls -p 1 -i 5
