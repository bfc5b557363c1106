head -c 30 "$DATA/steps.pmt" >cut.pmt
"$PMT" report cut.pmt
