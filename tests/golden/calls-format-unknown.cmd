"$PMT" calls -p 1 --format svg
