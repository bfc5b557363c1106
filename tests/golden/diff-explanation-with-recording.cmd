cp "$DATA/explain.a.json" a.json
cp "$DATA/steps.pmt" b.pmt
"$PMT" diff a.json b.pmt
