{ head -c 7 "$DATA/steps.pmt" && printf "\\002" && tail -c +9 "$DATA/steps.pmt"; } >newer.pmt
"$PMT" report newer.pmt
