# What programs begin with that make system calls of their own: call(number, …) returns 'ok' or the name of the error.
import ctypes, errno, os

_libc = ctypes.CDLL(None, use_errno=True)

def call(number, *arguments):
    arguments = [
        ctypes.c_char_p(a) if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments
    ]
    ctypes.set_errno(0)
    result = _libc.syscall(ctypes.c_long(number), *arguments)
    return 'ok' if result >= 0 else errno.errorcode.get(ctypes.get_errno(), '?')
