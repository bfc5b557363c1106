"$PMT" list --sort nope
