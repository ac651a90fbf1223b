# Tries to leave an attribute on the slot's own directories. The next episode must not see one.
import os

for d in ('.', os.environ['TMPDIR'], os.environ['HOME'], '/', '/var', '/dev/shm'):
    try:
        os.setxattr(d, 'user.left', b'x')
    except OSError:
        pass
