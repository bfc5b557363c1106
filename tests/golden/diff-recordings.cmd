cp "$DATA/steps.pmt" a.pmt
cp "$DATA/steps.pmt" b.pmt
"$PMT" diff a.pmt b.pmt
