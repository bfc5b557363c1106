cat "$DATA/3.12.1.a.json" "$DATA/3.12.1.b.json" >both.json
"$PMT" diff both.json "$DATA/3.12.1.a.json"
