# Fills the buffers of 960 pairs of sockets, of which larger ones were asked for. Must be over a limit below that, and
# do no harm under one above.
import os, socket, time

print('kept', flush=True)
for _ in range(8):
    if os.fork() == 0:
        pairs = [socket.socketpair() for _ in range(120)]
        for a, b in pairs:
            a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
            a.setblocking(False)
            try:
                while True:
                    a.send(bytes(4096))
            except BlockingIOError:
                pass
            a.close()
        time.sleep(3)
        os._exit(0)
for _ in range(8):
    os.wait()
print('done')
