{ printf '{"schema": "\0\377\e[31m'; head -c 20000 /bin/sh; } >garbage.json
"$PMT" diff "$DATA/3.12.1.a.json" garbage.json
