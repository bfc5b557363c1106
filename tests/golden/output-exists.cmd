echo precious >out
"$PMT" diff -o out "$DATA/3.12.1.a.json" "$DATA/3.12.1.b.json"
status=$?
cat out
exit $status
