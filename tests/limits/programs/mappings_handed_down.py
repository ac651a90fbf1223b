# Forks 50 times, each a child of the one before, with 1,024 mappings: the kernel keeps 64 bytes for each of them and
# each process before. Must count as memory of the program's.
import ctypes, mmap, os, time

print('kept', flush=True)
libc = ctypes.CDLL(None)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
m = mmap.mmap(-1, 4 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
at = ctypes.addressof(ctypes.c_char.from_buffer(m))
for i in range(0, 4 << 20, 8192):
    libc.mprotect(at + i, 4096, 7)
for i in range(0, 4 << 20, 4096):
    m[i] = 1
first = os.getpid()
for _ in range(50):
    if os.fork():
        os.wait()
        break
else:
    time.sleep(float(os.environ['REST']))
if os.getpid() != first:
    os._exit(0)
time.sleep(float(os.environ['REST']))
print('done')
