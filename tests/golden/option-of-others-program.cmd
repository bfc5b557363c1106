"$PMT" list -- /bin/true
