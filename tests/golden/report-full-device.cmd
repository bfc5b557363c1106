"$PMT" report -f -o /dev/full "$DATA/steps.pmt"
