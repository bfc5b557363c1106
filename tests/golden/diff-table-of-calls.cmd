sed 's|"kind": "snapshot"|"kind": "calls"|' "$DATA/3.12.1.a.json" >a.json
"$PMT" diff a.json "$DATA/3.12.1.b.json"
