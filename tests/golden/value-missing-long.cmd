"$PMT" list --top
