echo precious >out
ln out other
"$PMT" diff -f -o out "$DATA/3.12.1.a.json" "$DATA/3.12.1.b.json"
"$PMT" diff "$DATA/3.12.1.a.json" "$DATA/3.12.1.b.json" | cmp - out
cat other
stat -c '%a %h' out
ls -A
