sed 's/"kind": "py_live"/"kind": "py_dead"/' "$DATA/explain.a.json" >later.json
"$PMT" diff "$DATA/explain.b.json" later.json
