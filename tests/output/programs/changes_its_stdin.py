# Tries to write to its stdin, to make it larger, to seal it and to lease it. Must be refused, for that would be memory
# that no limit counts.
import fcntl, os

def tried(what):
    try:
        what()
        return 'done'
    except (OSError, ValueError):
        return 'refused'

def own():
    try:
        return os.open('/proc/self/fd/0', os.O_RDWR)
    except OSError:
        return 0

tried(lambda: os.fchmod(0, 0o666))
print(
    [
        tried(what)
        for fd in (0, own())
        for what in (
            lambda: os.pwrite(fd, b'x', 0),
            lambda: os.pwrite(fd, b'x', 1 << 20),
            lambda: os.ftruncate(fd, 1 << 30),
            lambda: fcntl.fcntl(fd, 1033, 1),
            lambda: fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK),
            lambda: os.posix_fallocate(fd, 0, 1 << 20),
        )
    ]
)
print(os.read(0, 9))
