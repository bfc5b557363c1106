mapfile -t globs < <(printf -- "--include=%s\n" {1..17})
"$PMT" calls -p 1 "${globs[@]}"
