"$PMT" frobnicate
