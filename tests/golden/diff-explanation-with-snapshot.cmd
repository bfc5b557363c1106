cp "$DATA/3.12.1.a.json" a.json
cp "$DATA/explain.b.json" b.json
"$PMT" diff a.json b.json
