# Leaves a process that holds a file without a name and a mapping, 60 MB. Must be freed.
import mmap, os, time

f = open('big', 'w+b')
f.truncate(50 << 20)
os.unlink('big')
for i in range(50):
    f.write(b'x' * (1 << 20))
m = mmap.mmap(-1, 10 << 20)
m[:] = b'y' * (10 << 20)
if os.fork() == 0:
    os.setsid()
    time.sleep(60)
