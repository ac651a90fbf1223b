# Connects to the port of this machine that its argument says. Must get there with the host's network alone.
import socket, sys

try:
    socket.create_connection(('127.0.0.1', int(sys.argv[1])), 2)
    print('REACHED')
except OSError as e:
    print('denied')
