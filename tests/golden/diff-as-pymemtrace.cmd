# its own table for two texts of each interpreter
for f in "$FIXTURES"/diff/*.diff.txt; do
	"$PMT" diff "${f%.diff.txt}.a.txt" "${f%.diff.txt}.b.txt" | cmp - "$f"
done
