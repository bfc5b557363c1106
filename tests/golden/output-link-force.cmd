# replaced by rename, never through the link
echo precious >kept
ln -s kept out
"$PMT" diff -f -o out "$DATA/3.12.1.a.json" "$DATA/3.12.1.b.json"
cat kept
stat -c %F out
