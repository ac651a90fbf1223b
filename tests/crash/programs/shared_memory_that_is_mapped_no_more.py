# Fills 200 MB of shared memory of which only the first pages stay mapped: nothing outside of the kernel shows the
# rest. Must end in memory_limit.
import ctypes, mmap

libc = ctypes.CDLL(None)
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
kept, size = [], 4 << 20
for _ in range(50):
    m = mmap.mmap(-1, size)
    m.write(bytes(size))
    kept.append(m)
    libc.munmap(ctypes.addressof(ctypes.c_char.from_buffer(m)) + 4096, size - 4096)
