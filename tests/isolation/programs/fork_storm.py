# Leaves six processes that each fork, and end when their child is there, without end. Must not outrun the clean-up.
import os, time

r, w = os.pipe()
for _ in range(6):
    if os.fork() == 0:
        os.close(w)
        os.read(r, 1)
        while True:
            try:
                if os.fork() != 0:
                    os._exit(0)
            except OSError:
                pass
os.close(w)
time.sleep(0.1)
print('storm')
