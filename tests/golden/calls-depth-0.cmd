"$PMT" calls -p 1 --depth 0
