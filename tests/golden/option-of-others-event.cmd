"$PMT" diff --event rss a b
