# Makes 30,000 connections that are never accepted, and closes its end of them. Must count as memory of the program's.
import os, socket, time

print('kept', flush=True)
servers = []
for n in range(30):
    s = socket.socket(socket.AF_UNIX)
    s.bind(f'\0n{n}')
    s.listen(4096)
    servers.append(s)
    for _ in range(1000):
        c = socket.socket(socket.AF_UNIX)
        c.connect(f'\0n{n}')
        c.close()
time.sleep(float(os.environ['REST']))
print('done')
