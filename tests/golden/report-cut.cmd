head -c 1000 "$DATA/steps.pmt" >cut.pmt
TZ=UTC "$PMT" report --event rss cut.pmt
