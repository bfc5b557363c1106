"$PMT" diff a b c
