# Leaves a process with a server and twenty connections, one with data in flight. The next episode must not reach them.
import socket, os, time

s = socket.socket()
s.bind(('127.0.0.1', 8080))
s.listen()
c = [socket.create_connection(('127.0.0.1', 8080)) for _ in range(20)]
for x in c:
    x.send(b'x' * 100000) if x is c[0] else None
if os.fork() == 0:
    os.setsid()
    time.sleep(60)
print('left')
