"$PMT" diff nowhere.json "$DATA/3.12.1.b.json"
