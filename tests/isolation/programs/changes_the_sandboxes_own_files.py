# Tries to change attributes, times and modes of the files that the sandbox itself has in place of those of /etc. The
# next episode must see no change.
import os

for d, _, fs in os.walk('/.etc'):
    for f in fs:
        p = os.path.join(d, f)
        for do in (
            lambda: os.setxattr(p, 'user.left', b'x'),
            lambda: os.utime(p, (1, 1)),
            lambda: os.chmod(p, 0),
        ):
            try:
                do()
            except OSError:
                pass
