TZ=UTC "$PMT" diff -v "$DATA/explain.a.json" "$DATA/explain.b.json"
