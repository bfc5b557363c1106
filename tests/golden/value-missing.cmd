"$PMT" stat -p
