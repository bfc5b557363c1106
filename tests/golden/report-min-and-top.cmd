TZ=UTC "$PMT" report --min 10M --top 2 --sort total "$DATA/steps.pmt"
