"$PMT" diff --format json "$DATA/explain.a.json" "$DATA/explain.b.json"
