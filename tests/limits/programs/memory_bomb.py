# Takes memory as fast as it can, in 32 processes. Must change no verdict beside it.
import os

for _ in range(5):
    os.fork()
hog = []
while True:
    hog.append(b'x' * (1 << 20))
