# Fills the buffers of 400 sockets in a process that forbids others to look at its descriptors. Must count as memory of
# the program's.
import ctypes, os, socket, time

print('kept', flush=True)
assert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0
pairs = [socket.socketpair() for _ in range(200)]
for a, b in pairs:
    for s in a, b:
        s.setblocking(False)
        try:
            while s.send(b'x' * 32768):
                pass
        except BlockingIOError:
            pass
time.sleep(float(os.environ['REST']))
print('done')
