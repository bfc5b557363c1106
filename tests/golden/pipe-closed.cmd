# `| head`: no message of ours but one sentence, no signal
"$PMT" diff --format json "$DATA/3.12.1.a.json" "$DATA/3.12.1.b.json" | true
echo "${PIPESTATUS[0]}"
