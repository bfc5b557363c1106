"$PMT" report a b
