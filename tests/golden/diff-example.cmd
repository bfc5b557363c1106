"$PMT" diff "$DATA/example.a.txt" "$DATA/example.b.txt"
