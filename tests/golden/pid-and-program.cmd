"$PMT" -p 1 -- /bin/true
