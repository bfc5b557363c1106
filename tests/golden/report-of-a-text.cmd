cp "$DATA/3.12.1.a.text" text
"$PMT" report text
