# Takes 150 MB of huge pages from the pool of the machine. Must be over a limit below that, and do no harm under one
# above.
import mmap, time

print('kept', flush=True)
m = mmap.mmap(-1, 150 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)
for at in range(0, 150 << 20, 2 << 20):
    m[at] = 1
time.sleep(2)
print('done')
