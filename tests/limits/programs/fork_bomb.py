# Forks as fast as it can, in all of its processes. Must end by its timeout or a limit, and change no verdict beside
# it.
import os

while True:
    try:
        os.fork()
    except OSError:
        pass
