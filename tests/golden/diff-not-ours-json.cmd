echo '{"name": "something", "version": 3}' >package.json
"$PMT" diff "$DATA/3.12.1.a.json" package.json
