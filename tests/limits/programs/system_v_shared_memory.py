# Fills a System V segment of 150 MB and detaches it, so that no process has it. Must be over a limit below that, and
# do no harm under one above.
import ctypes, time

print('kept', flush=True)
c = ctypes.CDLL(None, use_errno=True)
c.shmat.restype = ctypes.c_void_p
c.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
c.shmdt.argtypes = [ctypes.c_void_p]
id = c.shmget(0, ctypes.c_size_t(150 << 20), 0o1600)
assert id >= 0, ctypes.get_errno()
at = c.shmat(id, None, 0)
ctypes.memset(at, 1, 150 << 20)
c.shmdt(at)
time.sleep(2)
print('done')
