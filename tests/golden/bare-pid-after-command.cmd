"$PMT" snapshot 4242
