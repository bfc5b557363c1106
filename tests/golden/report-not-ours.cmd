head -c 4096 "$PMT" >a.pmt
"$PMT" report a.pmt
