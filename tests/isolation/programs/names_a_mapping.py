# Gives a mapping a name (PR_SET_VMA_ANON_NAME), which no limit counts. Must be told that it succeeds, and there must
# be none.
import ctypes, mmap

libc = ctypes.CDLL(None)
m = mmap.mmap(-1, 4096)
libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 3 + [ctypes.c_char_p]
at = ctypes.addressof(ctypes.c_char.from_buffer(m))
print(
    libc.prctl(0x53564D41, 0, at, 4096, b'of its own'),
    'of its own' in open('/proc/self/maps').read(),
)
