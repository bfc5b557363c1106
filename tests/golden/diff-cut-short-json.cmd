head -c 3000 "$DATA/3.12.1.a.json" >cut.json
"$PMT" diff cut.json "$DATA/3.12.1.b.json"
