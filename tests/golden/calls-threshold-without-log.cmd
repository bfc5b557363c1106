"$PMT" calls -p 1 --threshold 4K
