sed 's/"bytes": 1420928/"bytes": 1420929/' "$DATA/explain.a.json" >bad.json
"$PMT" diff bad.json "$DATA/explain.b.json"
