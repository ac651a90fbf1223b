# Forbids inspection as agents of keys do, with few files open. Must be left alone.
import ctypes, os, time

assert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0
ends = [os.pipe() for _ in range(4)]
time.sleep(2)
print('done')
