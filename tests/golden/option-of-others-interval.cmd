"$PMT" diff -i 5 a b
