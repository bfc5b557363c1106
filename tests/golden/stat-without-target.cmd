"$PMT" stat -i 2
