# Fills 200 MB of shared memory and gives up its pages, but not the memory. Has to count under a limit of 96 MB, and to
# do no harm under one of 1024.
import mmap, time

print('kept', flush=True)
m = mmap.mmap(-1, 200 << 20)
for i in range(0, 200 << 20, 4096):
    m[i] = 1
m.madvise(mmap.MADV_DONTNEED)
time.sleep(2)
print('done')
