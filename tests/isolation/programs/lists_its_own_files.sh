# Lists the files of its own in all places that it can write to. Must print the same whatever ran before.
find . $TMPDIR $HOME /dev/shm /var/tmp /run -xdev -user $(id -u) ! -path . -printf '%f %m\n' 2>/dev/null | sort
true
