# Sends into 100 TCP connections of its own loopback, until no more fits, what nobody reads. Must count as memory of
# the program's.
import os, socket, time

print('kept', flush=True)
s = socket.create_server(('127.0.0.1', 0), backlog=200)
kept = []
for _ in range(100):
    c = socket.create_connection(s.getsockname())
    c.setblocking(False)
    kept.append(c)
    kept.append(s.accept()[0])
    try:
        while True:
            c.send(bytes(65536))
    except BlockingIOError:
        pass
time.sleep(float(os.environ['REST']))
print('done')
