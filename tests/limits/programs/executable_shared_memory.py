# Makes 200 MB of shared memory executable, which is then neither data nor what else can be shared. Has to count under
# a limit of 96 MB, and to do no harm under one of 1024.
import ctypes, mmap, time

print('kept', flush=True)
libc, size = ctypes.CDLL(None), 4 << 20
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
kept = []
for _ in range(50):
    m = mmap.mmap(-1, size)
    m.write(b'x' * size)
    m.madvise(mmap.MADV_DONTNEED)
    at = ctypes.addressof(ctypes.c_char.from_buffer(m))
    assert libc.mprotect(at, size, 5) == 0
    kept.append(m)
time.sleep(2)
print('done')
