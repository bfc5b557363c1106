"$PMT" report --sort nope -o out.txt "$DATA/steps.pmt"
status=$?
ls
exit $status
