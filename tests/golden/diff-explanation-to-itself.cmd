TZ=UTC "$PMT" diff "$DATA/explain.a.json" "$DATA/explain.a.json"
