"$PMT" calls -p 1 --sort size
