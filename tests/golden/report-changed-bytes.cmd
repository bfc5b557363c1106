{ head -c 900 "$DATA/steps.pmt" && printf "\\377\\377" && tail -c +903 "$DATA/steps.pmt"; } >changed.pmt
TZ=UTC "$PMT" report --event arena --top 0 changed.pmt
