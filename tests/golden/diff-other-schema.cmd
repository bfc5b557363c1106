sed 's|pymemtrace-bpf/1|pymemtrace-bpf/99|' "$DATA/3.12.1.a.json" >later.json
"$PMT" diff "$DATA/3.12.1.b.json" later.json
