: >empty.pmt
"$PMT" report empty.pmt
