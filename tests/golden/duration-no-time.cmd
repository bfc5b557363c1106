"$PMT" -d 5x -p 1
