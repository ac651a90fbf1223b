# Leaves a process that holds 20 MB in a file without a name, and maps another. Their space must be free again.
import mmap, os, time

f = open('held', 'w+b')
f.write(b'x' * (20 << 20))
f.flush()
os.unlink('held')
g = open('mapped', 'w+b')
g.truncate(1 << 20)
m = mmap.mmap(g.fileno(), 1 << 20)
m[:] = b'y' * (1 << 20)
g.close()
os.unlink('mapped')
if os.fork() == 0:
    os.setsid()
    os.close(1)
    os.close(2)
    time.sleep(60)
