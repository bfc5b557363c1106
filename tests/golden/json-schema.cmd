"$PMT" --json-schema | cmp - "$DATA/../../../docs/schema.json"
