TZ=UTC "$PMT" report "$DATA/steps.pmt"
