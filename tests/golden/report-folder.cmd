mkdir folder.pmt
"$PMT" report folder.pmt
