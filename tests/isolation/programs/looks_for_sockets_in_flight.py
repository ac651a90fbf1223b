# Binds the address that was taken, and lists terminals. Must find the address free, and no terminal.
import os, socket

l = socket.socket(socket.AF_UNIX)
try:
    l.bind('\0taken')
    print('free')
except OSError as e:
    print(e)
print(sorted(os.listdir('/dev/pts')))
