# Sends sockets through each other, with a terminal and a bound socket, and ends: nothing of it ends with the process.
# Must be gone before the next episode.
import array, os, socket

l = socket.socket(socket.AF_UNIX)
l.bind('\0taken')
l.listen(1)
kept = [l.fileno(), *os.openpty()]
os.write(kept[1], b'a message\n')
for _ in range(100):
    a, b = socket.socketpair()
    a.sendmsg([b'x'], [(1, 1, array.array('i', [a.fileno(), b.fileno()] + kept))])
print('left', flush=True)
os._exit(0)
