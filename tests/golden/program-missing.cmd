"$PMT" stat --
