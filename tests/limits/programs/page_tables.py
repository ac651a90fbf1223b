# Reads 100 GB of fresh memory: all of it is the one page of zeros, but every 2 MB take a page of tables. Has to count
# under a limit of 96 MB, and to do no harm under one of 1024.
import mmap, time

print('kept', flush=True)
size = 100 << 30
m = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, prot=mmap.PROT_READ)
for i in range(0, size, 2 << 20):
    m[i]
time.sleep(2)
print('done')
