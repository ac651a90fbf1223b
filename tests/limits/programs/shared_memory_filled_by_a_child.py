# Has a child fill 200 MB of shared memory, which nobody has in its page tables once the child is gone. Has to count
# under a limit of 96 MB, and to do no harm under one of 1024.
import mmap, os, time

print('kept', flush=True)
m = mmap.mmap(-1, 200 << 20)
if os.fork() == 0:
    for i in range(0, 200 << 20, 4096):
        m[i] = 1
    os._exit(0)
os.wait()
time.sleep(2)
print('done')
