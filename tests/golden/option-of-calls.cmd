"$PMT" stat -p 1 --log dir
