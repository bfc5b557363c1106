"$PMT" calls -p $$ --tid 4194304
