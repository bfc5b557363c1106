TZ=UTC "$PMT" report <(cat "$DATA/steps.pmt") >pipe
TZ=UTC "$PMT" report "$DATA/steps.pmt" | cmp - pipe
