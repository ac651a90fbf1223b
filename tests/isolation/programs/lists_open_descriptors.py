# Lists the descriptors that are open when it starts. Must be the three standard ones.
import os

for n in range(1024):
    try:
        os.fstat(n)
        print(n)
    except OSError:
        pass
