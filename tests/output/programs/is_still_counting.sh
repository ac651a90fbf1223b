# Succeeds when something still counts: what an earlier step has left running must.
a=$(cat count)
for i in $(seq 20); do
    sleep 0.1
    b=$(cat count)
    [ "$a" != "$b" ] && break
done
[ "$a" != "$b" ] && echo alive
