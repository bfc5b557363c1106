sed 's|"kind": "snapshot"|"kind": "census"|' "$DATA/3.12.1.a.json" >census.json
"$PMT" diff "$DATA/3.12.1.a.json" census.json
