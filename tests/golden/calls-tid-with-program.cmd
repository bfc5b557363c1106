"$PMT" calls --tid 1 -- true
