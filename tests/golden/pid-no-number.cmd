"$PMT" snapshot -p 12,python3
