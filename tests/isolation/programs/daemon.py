# Leaves a process behind, which first does what the argument says, in Python. It must be gone before the next episode.
import os, sys, time

r, w = os.pipe()
if os.fork() == 0:
    os.setsid()
    os.close(1)
    os.close(2)
    exec(sys.argv[1])
    os.write(w, b'x')
    time.sleep(60)
os.read(r, 1)
