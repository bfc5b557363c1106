head -c 1000 "$DATA/steps.pmt" >cut.pmt
"$PMT" report -q --format folded --event arena cut.pmt
