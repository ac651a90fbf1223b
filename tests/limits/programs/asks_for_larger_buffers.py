# Asks for other sizes of a socket's buffers, which must succeed and change nothing; other options must be set.
import socket

a, b = socket.socketpair()
before = a.getsockopt(1, 7), a.getsockopt(1, 8)
for name in (7, 8):
    a.setsockopt(1, name, 4096)
print((a.getsockopt(1, 7), a.getsockopt(1, 8)) == before)
a.setsockopt(1, 16, 1)
print(a.getsockopt(1, 16))
