# Tries to make sockets of other families, kinds and protocols. Must be refused (EPERM) whatever the network.
import socket

for family, kind, protocol in (
    (2, 3, 1),
    (10, 3, 58),
    (2, 2, 1),
    (2, 1, 262),
    (2, 1, 132),
    (2, 2, 136),
    (16, 3, 0),
    (17, 3, 0),
    (40, 1, 0),
    (38, 5, 0),
):
    try:
        socket.socket(family, kind, protocol)
        print('MADE', family, kind, protocol)
    except OSError as e:
        assert e.errno == 1, e
print('end')
