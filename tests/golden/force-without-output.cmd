"$PMT" diff -f a b
