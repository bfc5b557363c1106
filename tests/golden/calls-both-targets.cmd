"$PMT" calls -p 1 -- true
