# Leaves processes of every kind behind: in sessions of their own, without signals, with children. Must all be gone.
for i in 1 2 3; do (setsid bash -c 'trap "" TERM HUP; sleep 60 & exec sleep 60' >/dev/null 2>&1 &); done
nohup sleep 60 & true
