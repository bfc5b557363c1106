"$PMT" report --event rss,cpu "$DATA/steps.pmt"
