"$PMT" diff "$DATA/3.13.5-debian.a.json" "$DATA/3.13.5-debian.b.json"
