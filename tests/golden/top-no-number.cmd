"$PMT" list --top many
