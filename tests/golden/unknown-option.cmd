"$PMT" --nope
