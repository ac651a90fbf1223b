# Maps 6 GB of shared anonymous memory and touches two pages. What was never touched must not count.
import mmap, os, time

m = mmap.mmap(-1, 6 << 30)
m[0] = 1
if os.fork() == 0:
    m[5 << 30] = 1
    time.sleep(2)
    os._exit(0)
os.wait()
print('done')
