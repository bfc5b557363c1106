echo 'nothing of interest' >notes.txt
"$PMT" diff notes.txt "$DATA/3.12.1.a.text"
