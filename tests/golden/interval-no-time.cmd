"$PMT" -i soon -p 1
