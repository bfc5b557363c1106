sed 's/"allocated_bytes": [0-9]*/"allocated_bytes": -5/' "$DATA/3.12.1.a.json" >damaged.json
"$PMT" diff damaged.json "$DATA/3.12.1.b.json"
