# Splits 190 MB into single pages in each of four children, which takes the kernel some 256 bytes a mapping. Must count
# as memory of the program's.
import ctypes, mmap, os, time

print('kept', flush=True)
libc = ctypes.CDLL(None)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
for _ in range(4):
    if os.fork() == 0:
        m = mmap.mmap(-1, 200 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        at = ctypes.addressof(ctypes.c_char.from_buffer(m))
        for i in range(0, 190 << 20, 8192):
            libc.mprotect(at + i, 4096, 1)
        time.sleep(60)
        os._exit(0)
time.sleep(1)
time.sleep(float(os.environ['REST']))
print('done')
