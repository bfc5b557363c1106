TZ=UTC "$PMT" report --inverted --by thread --event rss "$DATA/steps.pmt"
