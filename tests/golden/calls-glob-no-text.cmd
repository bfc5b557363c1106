"$PMT" calls -p 1 --include $'a\xff'
