# Leaves files and trees in all places that it can write to. Must all be gone.
for d in . $TMPDIR $HOME /dev/shm /var/tmp /run; do
    echo x > $d/left
    mkdir -p $d/a/b/c
    echo x > $d/a/b/c/.hidden
done
true
