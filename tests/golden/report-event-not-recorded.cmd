"$PMT" report --event pool,rss "$DATA/steps.pmt"
