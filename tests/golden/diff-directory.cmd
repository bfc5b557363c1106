mkdir folder
"$PMT" diff folder "$DATA/3.12.1.a.json"
