head -c 20000 /bin/sh >garbage
"$PMT" diff garbage "$DATA/3.12.1.a.json"
