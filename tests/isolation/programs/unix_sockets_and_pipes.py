# Talks to itself over sockets and pipes, and passes descriptors: what tmux, multiprocessing and asyncio need. Must work
# in every slot; with the argument `named`, also over sockets that have a name.
import os, socket, sys

def talk(a, b):
    a.send(b'ping')
    assert b.recv(9) == b'ping'
    r, w = os.pipe()
    os.write(w, b'through')
    socket.send_fds(a, [b'x'], [r])
    got = socket.recv_fds(b, 1, 1)[1][0]
    assert os.read(got, 9) == b'through'

def named(kind, address):
    s = socket.socket(socket.AF_UNIX, kind)
    s.bind(address)
    c = socket.socket(socket.AF_UNIX, kind)
    if kind == socket.SOCK_DGRAM:
        c.connect(address)
        talk(c, s)
    else:
        s.listen()
        c.connect(address)
        talk(c, s.accept()[0])

for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
    talk(*socket.socketpair(socket.AF_UNIX, kind))
os.mkfifo('fifo')
if os.fork() == 0:
    open('fifo', 'w').write('named pipe')
    os._exit(0)
assert open('fifo').read() == 'named pipe'
os.wait()
if 'named' in sys.argv:
    for i, kind in enumerate((socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET)):
        named(kind, f'/tmp/s{i}')
        named(kind, f'\0s{i}')
    talk(*socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
print('works')
