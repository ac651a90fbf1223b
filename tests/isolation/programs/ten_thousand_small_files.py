# Makes ten thousand files. Must be gone before the next episode.
import os

for d in range(10):
    os.mkdir(f'd{d}')
    for f in range(1000):
        os.close(os.open(f'd{d}/f{f}', os.O_CREAT))
print('made')
