"$PMT" diff "$DATA/3.11.2-debian.a.json" "$DATA/3.11.2-debian.b.json"
