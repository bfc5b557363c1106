# the suffix of -o chooses the format: what it begins with
for suffix in svg pb.gz pprof folded json speedscope.json txt other; do
	"$PMT" report -q --event rss -o "out.$suffix" "$DATA/steps.pmt"
	printf '%s: %s\n' "$suffix" "$(head -c 16 "out.$suffix" | od -An -c | head -n 1)"
done
# and --format wins
"$PMT" report -q --event rss --format folded -o wins.svg "$DATA/steps.pmt"
cmp wins.svg out.folded
