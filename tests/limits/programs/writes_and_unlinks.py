# Writes two files, each of which alone is below the limit of 10 MB, and removes their names. Both must count.
import os, time

keep = []
for name in ('one', 'two'):
    f = open(name, 'wb', buffering=0)
    keep.append(f)
    f.write(bytes(8 << 20))
    os.unlink(name)
time.sleep(4)
