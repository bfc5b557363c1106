"$PMT" report -o out.json "$DATA/steps.pmt"
cat out.json
