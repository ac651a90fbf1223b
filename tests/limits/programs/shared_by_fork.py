# Forks four times, and each child reads the 200 MB that are shared. They must count once.
import os, time

print('kept', flush=True)
data = b'x' * (200 << 20)
for _ in range(4):
    if os.fork() == 0:
        total = sum(data[i] for i in range(0, len(data), 4096))
        time.sleep(2)
        os._exit(0)
for _ in range(4):
    os.wait()
print('done')
