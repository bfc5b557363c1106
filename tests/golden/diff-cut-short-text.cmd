head -c 1500 "$DATA/3.12.1.a.text" >cut.text
"$PMT" diff cut.text "$DATA/3.12.1.b.text"
