"$PMT" report -o out.json "$DATA/steps.pmt"
"$PMT" report out.json
