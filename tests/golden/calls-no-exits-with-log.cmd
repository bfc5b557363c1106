"$PMT" calls -p 1 --no-exits --log dir
