# Fills 150 MB of shared anonymous memory, which a child has too. Must be over a limit below that, and do no harm under
# one above.
import mmap, os, time

print('kept', flush=True)
m = mmap.mmap(-1, 150 << 20)
for i in range(0, 150 << 20, 4096):
    m[i] = 1
if os.fork() == 0:
    time.sleep(2)
    os._exit(0)
os.wait()
print('done')
