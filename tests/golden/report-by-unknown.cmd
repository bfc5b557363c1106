"$PMT" report --by process "$DATA/steps.pmt"
