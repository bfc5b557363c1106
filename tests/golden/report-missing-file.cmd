"$PMT" report missing.pmt
