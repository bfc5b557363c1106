"$PMT" diff --format json "$DATA/3.12.1.a.text" "$DATA/3.12.1.b.text"
