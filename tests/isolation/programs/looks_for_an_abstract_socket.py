# Looks for a socket whose name is in no directory, which an earlier episode has bound. Must find none.
import socket

try:
    socket.socket(socket.AF_UNIX).connect('\0left')
    print('there')
except OSError:
    print('none')
