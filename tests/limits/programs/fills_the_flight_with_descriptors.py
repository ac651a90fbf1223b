# Sends descriptors to itself until it may have no more in flight, and says how many there are. Nobody else's next step
# must want for one.
import array, os, socket, time

a, b = socket.socketpair()
sent = 0
try:
    while True:
        a.sendmsg([b'x'], [(1, 1, array.array('i', [0] * 250))])
        sent += 250
except OSError:
    pass
print(sent, flush=True)
