"$PMT" diff "$DATA/3.12.1-malloc.a.json" "$DATA/3.12.1-malloc.b.json"
