# Connects to the port of an earlier episode, and binds it. Must be refused, and find it free.
import socket

try:
    socket.create_connection(('127.0.0.1', 8080), 1)
    print('REACHED')
except OSError as e:
    print(type(e).__name__)
s = socket.socket()
s.bind(('127.0.0.1', 8080))
print('free')
