# Connects to the abstract socket that its argument names, which is the host's. Must be refused.
import socket, sys

try:
    socket.socket(socket.AF_UNIX).connect('\0' + sys.argv[1])
    print('REACHED')
except OSError as e:
    print(e.errno)
