TZ=UTC "$PMT" diff "$DATA/explain.a.json" "$DATA/explain.b.json"
