"$PMT" snapshot --format xml -p 1
