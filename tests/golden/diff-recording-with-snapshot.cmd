cp "$DATA/steps.pmt" b.pmt
cp "$DATA/3.12.1.a.json" a.json
"$PMT" diff a.json b.pmt
