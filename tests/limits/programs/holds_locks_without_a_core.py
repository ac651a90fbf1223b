# Four processes at the lowest priority hold the lock of their mappings, and forty keep them from getting a core. Must
# end at its timeout, though whoever looks at their memory waits.
libc = ctypes.CDLL(None)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
for _ in range(4):
    if os.fork() == 0:
        far = mmap.mmap(-1, 2 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, prot=0)
        m = mmap.mmap(-1, 40 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        at = ctypes.addressof(ctypes.c_char.from_buffer(m))
        m.write(b'x' * (40 << 20))
        lowest()
        while True:
            libc.mprotect(at, 40 << 20, 1)
            libc.mprotect(at, 40 << 20, 3)
time.sleep(0.7)
for _ in range(40):
    if os.fork() == 0:
        while True:
            pass
time.sleep(100)
