# Reads, runs and changes the files that it was given. They must have their content and mode, and be its own.
cat plain.txt
./tool
stat -c '%a %s %n' plain.txt tool secret deep/er/bin.dat
cat $TMPDIR/there
echo more >> plain.txt && tail -1 plain.txt
