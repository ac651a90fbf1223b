# Has 61 processes with 51,200 mappings each, which go on to change them. It makes each look at its memory take long.
# Its timeout must hold all the same.
import ctypes, mmap, os

libc = ctypes.CDLL(None)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
for _ in range(60):
    if os.fork() == 0:
        break
m = mmap.mmap(-1, 512 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
at = ctypes.addressof(ctypes.c_char.from_buffer(m))
for i in range(0, 400 << 20, 8192):
    libc.mprotect(at + i, 4096, 1)
while True:
    libc.mprotect(at, 4096, 1)
    libc.mprotect(at, 4096, 3)
