"$PMT" report --min 4X "$DATA/steps.pmt"
