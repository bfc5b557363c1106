"$PMT" diff -o out nowhere "$DATA/3.12.1.b.json"
status=$?
ls -A
exit $status
