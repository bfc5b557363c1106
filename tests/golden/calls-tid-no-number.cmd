"$PMT" calls -p 1 --tid main
