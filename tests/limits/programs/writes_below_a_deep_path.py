# Writes two files, each of which alone is below the limit of 10 MB, where no path is short enough to name them. Both
# must count.
import os, time

keep = []
for i in range(20):
    os.mkdir('d' * 250)
    os.chdir('d' * 250)
for name in ('one', 'two'):
    f = open(name, 'wb', buffering=0)
    keep.append(f)
    f.write(bytes(8 << 20))
time.sleep(4)
