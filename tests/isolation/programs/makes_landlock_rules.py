# Asks for a ruleset of Landlock and for a rule in it. Must find that there is no such call (ENOSYS).
import ctypes

l = ctypes.CDLL(None, use_errno=True)
a = (ctypes.c_uint64 * 1)(1 << 13)
print(l.syscall(444, a, 8, 0), ctypes.get_errno(), l.syscall(445, 3, 1, a, 0), ctypes.get_errno())
