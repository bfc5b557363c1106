: >empty
"$PMT" diff empty "$DATA/3.12.1.a.json"
