"$PMT" --as-root -p 1
