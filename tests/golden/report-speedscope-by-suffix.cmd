"$PMT" report -o out.speedscope.json "$DATA/steps.pmt"
cat out.speedscope.json
