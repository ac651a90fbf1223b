# Shows which of the slot's own directories and links have those times. Must print the same whatever ran before.
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
        s = os.lstat(d)
        print(d in '.', s.st_mtime == 12345, s.st_atime == 12345)
    except OSError:
        print('none')
