# Listens at `address` to hand a descriptor to whoever connects; connects there to get it. From another slot no
# connection must be made.
import socket

def make():
    global s
    s = socket.socket(socket.AF_UNIX)
    s.bind(address)
    s.listen()
    import threading

    threading.Thread(
        target=lambda: socket.send_fds(s.accept()[0], [b'x'], [0]), daemon=True
    ).start()

def find():
    c = socket.socket(socket.AF_UNIX)
    c.connect(address)
    got = socket.recv_fds(c, 1, 1)[1]
    try:
        os.unlink(address)
    except (OSError, ValueError):
        pass
    return got
