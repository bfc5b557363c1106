echo '{"schema": pymemtrace}' >bad.json
"$PMT" diff bad.json "$DATA/3.12.1.a.json"
