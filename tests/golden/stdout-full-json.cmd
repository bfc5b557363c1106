"$PMT" diff --format json "$DATA/3.12.1.a.json" "$DATA/3.12.1.b.json" >/dev/full
