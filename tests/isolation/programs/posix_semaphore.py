# Makes a semaphore of POSIX; finds it by its name. In another slot that must find nothing.
libc.sem_open.restype = ctypes.c_void_p

def make():
    libc.sem_open(b'/runner-test-sem', os.O_CREAT, 0o666, 1)

def find():
    s = libc.sem_open(b'/runner-test-sem', 0)
    if s:
        libc.sem_unlink(b'/runner-test-sem')
    return s
