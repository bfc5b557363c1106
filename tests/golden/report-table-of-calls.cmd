sed 's|"kind": "snapshot"|"kind": "calls"|' "$DATA/3.12.1.a.json" >a.json
"$PMT" report a.json
