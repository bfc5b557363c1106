TZ=UTC "$PMT" report - <"$DATA/steps.pmt" >stdin
TZ=UTC "$PMT" report "$DATA/steps.pmt" | cmp - stdin
