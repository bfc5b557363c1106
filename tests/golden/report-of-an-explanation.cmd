cp "$DATA/explain.a.json" a.json
"$PMT" report a.json
