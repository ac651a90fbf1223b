# Says whether a lock on a file of the host that everybody sees is free, soon. Must be, whatever held it.
import fcntl, time

f = open('/usr/bin/env')
free = False
for _ in range(20):
    try:
        fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free = True
        break
    except OSError:
        time.sleep(0.1)
print('free' if free else 'taken')
