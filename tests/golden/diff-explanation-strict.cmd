sed 's/"approximate": false/"approximate": true/' "$DATA/explain.b.json" >moving.json
TZ=UTC "$PMT" diff --strict "$DATA/explain.a.json" moving.json
