# Makes shared memory of System V; finds it by its key. In another slot that must find nothing.
def make():
    libc.shmget(0x5CA1AB1E, 4096, 0o1666)

def find():
    i = libc.shmget(0x5CA1AB1E, 0, 0)
    if i >= 0:
        libc.shmctl(i, 0, None)
    return i >= 0
