# Holds 200 MB in a process that forbids others to inspect it (PR_SET_DUMPABLE is 4). Has to count under a limit of 96
# MB, and to do no harm under one of 1024.
import ctypes, time

print('kept', flush=True)
assert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0
hog = b'x' * (200 << 20)
time.sleep(2)
print('done')
