# Attempts at what faults of the kernel take, after raw_calls.py: each prints what became of it. Must be refused where
# the tables say so.
import os, socket

def attempt(function, *arguments):
    try:
        function(*arguments)
    except OSError as error:
        print(errno.errorcode.get(error.errno, '?'))
    else:
        print('reached')

def capabilities():
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    if _libc.capget(header, sets) != 0:
        raise OSError(errno.EIO, 'they can not be asked for')
    if not any(sets):
        raise OSError(errno.EPERM, 'no capability in any set')

def gain():
    if _libc.prctl(39, 0, 0, 0, 0) == 1:
        raise OSError(errno.EPERM, 'no_new_privs is set')

def descriptors():
    if os.dup(0) == 3:
        raise OSError(errno.EPERM, '0, 1 and 2 alone are open')

def raw(number, *arguments):
    answer = call(number, *arguments)
    if answer != 'ok':
        raise OSError(getattr(errno, answer), answer)
