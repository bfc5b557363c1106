# said, but no failure without --strict; -q silences it
sed 's/"pools_unread": 0/"pools_unread": 2/' "$DATA/3.12.1.b.json" >swapped.json
"$PMT" diff -o out "$DATA/3.12.1.a.json" swapped.json
"$PMT" diff -q -f -o out "$DATA/3.12.1.a.json" swapped.json
