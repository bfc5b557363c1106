# no cut is taken for a whole; one message each
size=$(stat -c %s "$DATA/3.12.1.a.json")
for ((n = 1; n < size - 2; n += 97)); do
	head -c $n "$DATA/3.12.1.a.json" >cut.json
	"$PMT" diff cut.json "$DATA/3.12.1.b.json" >out 2>err && echo "taken: $n bytes"
	[ -s out ] && echo "printed: $n bytes"
	[ "$(grep -vc '^hint: ' err)" = 1 ] || { echo "$n bytes:" && cat err; }
done
true
