"$PMT" diff -o out "$DATA/3.12.1.a.json" "$DATA/3.12.1.b.json"
"$PMT" diff "$DATA/3.12.1.a.json" "$DATA/3.12.1.b.json" | cmp - out
stat -c '%a %F' out
ls -A
