# Signals its parent and everybody, reads what /proc has of the parent, and looks for descriptors that it was left.
# Must reach nothing.
import os, signal

parent = os.getppid()
for p in (parent, -1):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        if p > 0 or p == -1:
            os.kill(p, signal.SIGTERM)
    except OSError as e:
        pass
for name in ('mem', 'environ', 'maps', 'fd'):
    path = f'/proc/{parent}/{name}'
    try:
        os.listdir(path) if name == 'fd' else open(path, 'rb').read(1)
        print('reached', name)
    except OSError:
        pass
for fd in range(3, 200):
    try:
        os.fstat(fd)
        print('inherited', fd)
    except OSError:
        pass
import resource

print('attacked')
