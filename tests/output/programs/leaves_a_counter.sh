# Leaves a process behind that goes on counting in a file. Must live until the episode ends.
(i=0; while :; do i=$((i+1)); echo $i > count; sleep 0.02; done) &
until [ -s count ]; do sleep 0.02; done
echo started
