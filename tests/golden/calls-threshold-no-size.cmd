"$PMT" calls -p 1 --log dir --threshold much
