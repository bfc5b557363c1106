printf 'no' >$'a\033[31m\n.pmt'
"$PMT" report $'a\033[31m\n.pmt'
