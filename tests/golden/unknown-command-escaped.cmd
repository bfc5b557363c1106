"$PMT" $'\e[31mred\n'
