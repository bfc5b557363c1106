"$PMT" report -o out.folded "$DATA/steps.pmt"
cat out.folded
