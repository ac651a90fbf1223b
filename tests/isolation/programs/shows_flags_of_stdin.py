# Shows flags and the signal of its stdin, and whether a lock on it is free, soon: anybody on the machine may hold one
# on this file for a moment, but what is left over is held for good.
import fcntl, os, time

print(fcntl.fcntl(0, fcntl.F_GETFL) & (os.O_NONBLOCK | os.O_APPEND), fcntl.fcntl(0, 11))
free = False
for _ in range(100):
    try:
        fcntl.flock(0, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free = True
        break
    except OSError:
        time.sleep(0.1)
print('free' if free else 'held')
