"$PMT" diff "$DATA/3.6.15.a.json" "$DATA/3.6.15.b.json"
