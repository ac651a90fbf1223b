# Lists the attributes of the slot's own directories. Must print the same whatever ran before.
import os

for d in ('.', os.environ['TMPDIR'], os.environ['HOME'], '/', '/var', '/dev/shm'):
    try:
        print(d in '.', os.listxattr(d))
    except OSError as e:
        print(e.errno)
