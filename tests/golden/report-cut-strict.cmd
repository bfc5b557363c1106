head -c 1000 "$DATA/steps.pmt" >cut.pmt
"$PMT" report --strict --format folded --event rss cut.pmt
