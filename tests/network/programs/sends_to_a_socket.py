# Sends to the socket that its argument names by a socket that is one of a pair. Must be refused.
import socket, sys

try:
    socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b'x', sys.argv[1])
    print('SENT')
except OSError:
    print('denied')
