sed 's/"arenas_torn": 0/"arenas_torn": 2/' "$DATA/3.12.1.a.json" >torn.json
"$PMT" diff --strict -o out torn.json "$DATA/3.12.1.b.json"
