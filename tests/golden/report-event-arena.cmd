TZ=UTC "$PMT" report --event arena "$DATA/steps.pmt"
