"$PMT" snapshot --sort pid -p 1
