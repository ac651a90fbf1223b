# Binds a socket whose name is in no directory. Is run by daemon.py, and must be gone with its process.
import socket

try:
    s = socket.socket(socket.AF_UNIX)
    s.bind('\0left')
    s.listen()
except OSError:
    pass
