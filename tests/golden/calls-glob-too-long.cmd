"$PMT" calls -p 1 --exclude "$(printf "%065d" 0)"
