# Becomes the parent of orphans (PR_SET_CHILD_SUBREAPER), and makes one. Is run by daemon.py; both must be gone before
# the next episode.
import ctypes, os, time

ctypes.CDLL(None).prctl(36, 1)
if os.fork() == 0:
    if os.fork() == 0:
        time.sleep(60)
    os._exit(0)
