# Binds a page to a node of memory (mbind is 237, get_mempolicy 239), asks how it is bound, and has pages moved that
# others share. Must be told that it succeeds, and nothing must be kept.
import ctypes, mmap

libc = ctypes.CDLL(None)
long = ctypes.c_long
m = mmap.mmap(-1, 4096)
at = long(ctypes.addressof(ctypes.c_char.from_buffer(m)))
node, mode = ctypes.c_ulong(1), ctypes.c_int()
bound = libc.syscall(237, at, long(4096), long(2), ctypes.byref(node), long(64), long(0))
asked = libc.syscall(239, ctypes.byref(mode), long(0), long(0), at, long(2))
moved = libc.syscall(237, at, long(4096), long(0), long(0), long(0), long(4))
print(bound, asked, mode.value, moved)
