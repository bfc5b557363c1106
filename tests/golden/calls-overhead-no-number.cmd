"$PMT" calls -p 1 --max-overhead much
