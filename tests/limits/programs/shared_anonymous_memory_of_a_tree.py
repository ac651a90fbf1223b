# Fills 100 MB of shared anonymous memory that four children read. They must count once.
import mmap, os, time

print('kept', flush=True)
m = mmap.mmap(-1, 100 << 20)
for i in range(0, 100 << 20, 4096):
    m[i] = 1
for _ in range(4):
    if os.fork() == 0:
        sum(m[i] for i in range(0, 100 << 20, 4096))
        time.sleep(2)
        os._exit(0)
for _ in range(4):
    os.wait()
print('done')
