echo old >out.txt
"$PMT" report -o out.txt "$DATA/steps.pmt"
status=$?
cat out.txt
exit $status
