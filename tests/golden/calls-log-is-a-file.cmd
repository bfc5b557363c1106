: >file
"$PMT" calls -p 1 --log file
