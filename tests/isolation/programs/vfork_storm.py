# Leaves four processes that start programs without end, and wait in the kernel for each to be executed (vfork(2)).
# Must not outrun the clean-up.
import os, time

r, w = os.pipe()
for _ in range(4):
    if os.fork() == 0:
        os.setsid()
        os.close(w)
        os.read(r, 1)
        while True:
            try:
                os.posix_spawn('/bin/sleep', ['sleep', '9'], {})
            except OSError:
                pass
os.close(w)
time.sleep(0.1)
print('storm')
