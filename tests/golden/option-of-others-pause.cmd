"$PMT" doctor --pause
