# Makes objects of System V with a key, closed to everybody, and leaves them. The next episode must get its own by that
# key.
import ctypes

c = ctypes.CDLL(None)
get = [c.shmget(7, ctypes.c_size_t(4096), 0o3000), c.semget(7, 1, 0o3000), c.msgget(7, 0o3000)]
print([id >= 0 for id in get])
