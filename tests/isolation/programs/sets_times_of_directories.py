# Sets the times of the slot's own directories and links, where it may. The next episode must not see
# them.
import os

ALL = [
    '.',
    os.environ['TMPDIR'],
    os.environ['HOME'],
    '/',
    '/home',
    '/var',
    '/run',
    '/dev/shm',
    '/bin',
    '/lib',
    '/lib64',
    '/sbin',
]
for d in ALL:
    try:
        os.utime(d, (12345, 12345), follow_symlinks=False)
    except OSError:
        pass
