# Has a child that ends fill 150 MB of shared anonymous memory, and gives up its own pages of it. Must be over a limit
# below that, and do no harm under one above.
import mmap, os, time

print('kept', flush=True)
m = mmap.mmap(-1, 150 << 20)
if os.fork() == 0:
    for i in range(0, 150 << 20, 4096):
        m[i] = 1
    os._exit(0)
os.wait()
m.madvise(mmap.MADV_DONTNEED)
time.sleep(2)
print('done')
