"$PMT" report --strict -o out.txt "$DATA/steps.pmt"
