# Hands 20 MB at a time to a child and gives them up itself, ten times. Has to count under a limit of 96 MB, and to do
# no harm under one of 1024.
import mmap, os, time

print('kept', flush=True)
for _ in range(10):
    m = mmap.mmap(-1, 20 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for i in range(0, 20 << 20, 4096):
        m[i] = 1
    if os.fork() == 0:
        time.sleep(2.5)
        os._exit(0)
    m.close()
time.sleep(2)
print('done')
