name=$'a\e[31m\nb.json'
echo '{}' >"$name"
"$PMT" diff "$name" "$DATA/3.12.1.a.json"
