# Looks for a socket among its descriptors, and for one with a name in /proc. Must find none.
import os, socket

for n in range(4096):
    try:
        s = socket.socket(fileno=n)
        print('SOCKET', n)
        s.detach()
    except OSError:
        pass
try:
    print([l for l in open('/proc/net/unix') if len(l.split()) > 7][1:])
except OSError:
    print([])
