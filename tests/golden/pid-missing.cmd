"$PMT" snapshot
