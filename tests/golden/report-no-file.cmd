"$PMT" report --top 3
