# Opens 18,000 files of /proc, each of which has a buffer of the kernel's once it was read. Must count as memory of the
# program's.
import os, time

print('kept', flush=True)
for _ in range(20):
    if os.fork() == 0:
        files = [open('/proc/self/status') for _ in range(900)]
        for f in files:
            f.readline()
        time.sleep(60)
        os._exit(0)
time.sleep(1)
time.sleep(float(os.environ['REST']))
print('done')
