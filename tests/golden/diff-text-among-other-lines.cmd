{ echo "server started"; cat "$DATA/3.12.1.a.text"; echo "GET / 200"; } >a.log
"$PMT" diff a.log "$DATA/3.12.1.b.text" >got
"$PMT" diff "$DATA/3.12.1.a.text" "$DATA/3.12.1.b.text" | cmp - got
