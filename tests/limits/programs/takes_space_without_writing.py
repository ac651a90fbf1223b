# Asks for space by fallocate(2) in three modes, which must be refused, and by posix_fallocate(3), which must write.
import ctypes, os

libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
f = os.open('f', os.O_CREAT | os.O_RDWR)
print([libc.fallocate(f, mode, 0, 1 << 20) or ctypes.get_errno() for mode in (0, 1, 3)])
print([ctypes.get_errno()], os.fstat(f).st_blocks)
os.posix_fallocate(f, 0, 1 << 20)
print(os.fstat(f).st_size)
