"$PMT" snapshot -zq -p 1
