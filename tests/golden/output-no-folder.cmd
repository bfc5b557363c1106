"$PMT" diff -o no/such/folder/out "$DATA/3.12.1.a.json" "$DATA/3.12.1.b.json"
