"$PMT" snapshot -p ""
