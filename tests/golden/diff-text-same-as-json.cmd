# text or JSON, on either side: the same table
for n in 3.6.15 3.11.2-debian 3.12.1 3.13.5-debian; do
	"$PMT" diff "$DATA/$n.a.json" "$DATA/$n.b.json" >json
	"$PMT" diff "$DATA/$n.a.text" "$DATA/$n.b.text" | cmp - json
	"$PMT" diff "$DATA/$n.a.text" "$DATA/$n.b.json" | cmp - json
done
