# Starts up to 20 processes, and says how many there may be. A bash that is not kept must take none of them.
import os

n, r, w = 1, *os.pipe()
try:
    while n < 20:
        if os.fork() == 0:
            os.close(w), os.read(r, 1), os._exit(0)
        n += 1
except OSError:
    pass
print(n)
